// SPDX-License-Identifier: Apache-2.0
// The parser and the arithmetic of formulas. Text and depth are bounded, so is all recursion.
#include "price/formula.h"

#include "base/assert.h"
#include "money/rounding.h"

typedef enum NodeKind {
    NODE_NUMBER,
    NODE_NAME,
    NODE_NEGATE,
    NODE_ADD,
    NODE_SUBTRACT,
    NODE_MULTIPLY,
    NODE_DIVIDE,
    NODE_LESS,
    NODE_LESS_OR_EQUAL,
    NODE_MORE,
    NODE_MORE_OR_EQUAL,
    NODE_EQUAL,
    NODE_NOT_EQUAL,
    NODE_MIN,
    NODE_MAX,
    NODE_CEIL,
    NODE_FLOOR,
    NODE_ROUND,
    NODE_IF
} NodeKind;

typedef struct Node Node;
struct Node {
    NodeKind kind;
    Rational number; // NODE_NUMBER
    size_t   name;   // NODE_NAME: which
    Node    *first;  // parts, in order
    Node    *next;
};

struct Formula {
    Node *root;
};

typedef struct FunctionRow {
    const char *name;
    NodeKind    kind;
    size_t      least, most; // parts
} FunctionRow;

static const FunctionRow functions[] = {
    { "min", NODE_MIN, 1, FORMULA_PARTS_MAX },
    { "max", NODE_MAX, 1, FORMULA_PARTS_MAX },
    { "ceil", NODE_CEIL, 1, 1 },
    { "floor", NODE_FLOOR, 1, 1 },
    { "round", NODE_ROUND, 1, 1 },
    { "if", NODE_IF, 3, 3 },
};

static const FunctionRow *function_find(Str name)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (str_equal(name, str_of(functions[i].name)))
            return &functions[i];
    return NULL;
}

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

static bool is_letter(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
}

static bool is_of_name(char letter)
{
    return is_letter(letter) || is_digit(letter) || letter == '_';
}

bool formula_takes_name(Str name)
{
    if (name.length == 0 || name.length > 64 || !is_letter(name.at[0]))
        return false;
    for (size_t i = 0; i < name.length; i++)
        if (!is_of_name(name.at[i]))
            return false;
    return function_find(name) == NULL;
}

// ---- reading

typedef struct Parser {
    Arena        *arena;
    Str           text;
    size_t        at;
    int           depth;
    const Str    *names;
    size_t        name_count;
    FormulaFault *fault;
    bool          failed;
} Parser;

static Node *fail(Parser *parser, Str what)
{
    if (!parser->failed)
        *parser->fault = (FormulaFault){ parser->at, what };
    parser->failed = true;
    return NULL;
}

static void blanks_skip(Parser *parser)
{
    while (parser->at < parser->text.length && parser->text.at[parser->at] == ' ')
        parser->at++;
}

// True when it stands here, and steps over it.
static bool take(Parser *parser, const char *sign)
{
    Str wanted = str_of(sign);
    blanks_skip(parser);
    Str rest = { parser->text.at + parser->at, parser->text.length - parser->at };
    if (rest.length < wanted.length || !str_equal((Str){ rest.at, wanted.length }, wanted))
        return false;
    parser->at += wanted.length;
    return true;
}

// A node that begins nothing: nothing has failed yet.
static Node *leaf_of(Parser *parser, NodeKind kind)
{
    assert_that(!parser->failed);
    Node *node = arena_new(parser->arena, Node);
    node->kind = kind;
    node->number = rational_zero();
    return node;
}

static Node *node_of(Parser *parser, NodeKind kind, Node *first, Node *second)
{
    if (parser->failed)
        return NULL;
    Node *node = leaf_of(parser, kind);
    node->first = first;
    first->next = second;
    return node;
}

static Str word_of(Parser *parser, bool (*holds)(char))
{
    size_t start = parser->at;
    while (parser->at < parser->text.length && holds(parser->text.at[parser->at]))
        parser->at++;
    return (Str){ parser->text.at + start, parser->at - start };
}

static bool is_of_number(char letter)
{
    return is_digit(letter) || letter == '.';
}

static Node *number_parse(Parser *parser)
{
    Decimal number;
    size_t  start = parser->at;
    Str     word = word_of(parser, is_of_number);
    if (!decimal_parse(word, DECIMAL_WHOLE_DIGITS, &number)) {
        parser->at = start;
        return fail(parser, STR("a number has at most 24 digits, a point and 12 digits"));
    }
    Node *node = leaf_of(parser, NODE_NUMBER);
    node->number = rational_of(parser->arena, number);
    return node;
}

static Node *comparison_parse(Parser *parser);

static Node *call_parse(Parser *parser, const FunctionRow *function)
{
    Node  *first = NULL, **end = &first;
    size_t count = 0;
    if (!take(parser, "("))
        return fail(parser, STR("a function is followed by ("));
    do {
        Node *part = comparison_parse(parser);
        if (part == NULL || ++count > function->most)
            return fail(parser, STR("the function takes fewer values"));
        *end = part;
        end = &part->next;
    } while (take(parser, ","));
    if (count < function->least)
        return fail(parser, STR("the function takes more values"));
    if (!take(parser, ")"))
        return fail(parser, STR(") is missing"));
    Node *node = leaf_of(parser, function->kind);
    node->first = first;
    return node;
}

static Node *name_parse(Parser *parser)
{
    size_t             start = parser->at;
    Str                word = word_of(parser, is_of_name);
    const FunctionRow *function = function_find(word);
    if (function != NULL)
        return call_parse(parser, function);
    for (size_t i = 0; i < parser->name_count; i++)
        if (str_equal(word, parser->names[i])) {
            Node *node = leaf_of(parser, NODE_NAME);
            node->name = i;
            return node;
        }
    parser->at = start;
    return fail(parser,
                str_print(parser->arena, "%.*s is neither a name nor a function", STR_ARG(word)));
}

static Node *primary_parse(Parser *parser)
{
    blanks_skip(parser);
    if (parser->at == parser->text.length)
        return fail(parser, STR("a number, a name or ( is missing"));
    char letter = parser->text.at[parser->at];
    if (is_of_number(letter))
        return number_parse(parser);
    if (is_letter(letter))
        return name_parse(parser);
    if (!take(parser, "("))
        return fail(parser, STR("a number, a name or ( is missing"));
    Node *node = comparison_parse(parser);
    if (node != NULL && !take(parser, ")"))
        return fail(parser, STR(") is missing"));
    return node;
}

static Node *sign_parse(Parser *parser)
{
    bool negates = false;
    while (take(parser, "-"))
        negates = !negates;
    Node *node = primary_parse(parser);
    return negates ? node_of(parser, NODE_NEGATE, node, NULL) : node;
}

static Node *product_parse(Parser *parser)
{
    Node *node = sign_parse(parser);
    while (!parser->failed) {
        if (take(parser, "*"))
            node = node_of(parser, NODE_MULTIPLY, node, sign_parse(parser));
        else if (take(parser, "/"))
            node = node_of(parser, NODE_DIVIDE, node, sign_parse(parser));
        else
            break;
    }
    return node;
}

static Node *sum_parse(Parser *parser)
{
    Node *node = product_parse(parser);
    while (!parser->failed) {
        if (take(parser, "+"))
            node = node_of(parser, NODE_ADD, node, product_parse(parser));
        else if (take(parser, "-"))
            node = node_of(parser, NODE_SUBTRACT, node, product_parse(parser));
        else
            break;
    }
    return node;
}

static Node *comparison_parse(Parser *parser)
{
    static const struct {
        const char *sign;
        NodeKind    kind;
    } rows[] = { { "<=", NODE_LESS_OR_EQUAL }, { ">=", NODE_MORE_OR_EQUAL }, { "==", NODE_EQUAL },
                 { "!=", NODE_NOT_EQUAL },     { "<", NODE_LESS },           { ">", NODE_MORE } };
    if (++parser->depth > FORMULA_DEPTH_MAX)
        return fail(parser, STR("it is nested too deep"));
    Node *node = sum_parse(parser);
    for (size_t i = 0; !parser->failed && i < sizeof rows / sizeof *rows; i++)
        if (take(parser, rows[i].sign)) {
            node = node_of(parser, rows[i].kind, node, sum_parse(parser));
            break;
        }
    parser->depth--;
    return parser->failed ? NULL : node;
}

Formula *formula_parse(Arena *arena, Str text, const Str *names, size_t count, FormulaFault *fault)
{
    Parser parser = {
        .arena = arena, .text = text, .names = names, .name_count = count, .fault = fault
    };
    if (text.length > FORMULA_BYTES_MAX) {
        fail(&parser, STR("it is longer than 1000 bytes"));
        return NULL;
    }
    Node *root = comparison_parse(&parser);
    blanks_skip(&parser);
    if (root != NULL && parser.at < text.length)
        root = fail(&parser, STR("an operator is missing"));
    if (root == NULL)
        return NULL;
    Formula *formula = arena_new(arena, Formula);
    formula->root = root;
    return formula;
}

// ---- the arithmetic

typedef struct Running {
    Arena          *arena;
    const Rational *values;
    size_t          by_zero;
} Running;

static Rational truth(bool holds)
{
    return holds ? rational_one() : rational_zero();
}

static Rational quotient(Running *running, Rational a, Rational b)
{
    if (rational_sign(b) != 0)
        return rational_divide(running->arena, a, b);
    running->by_zero++;
    return rational_zero();
}

static Rational value_of(Running *running, const Node *node);

static Rational extreme(Running *running, const Node *node)
{
    Rational found = value_of(running, node->first);
    for (const Node *part = node->first->next; part != NULL; part = part->next) {
        Rational value = value_of(running, part);
        found =
            node->kind == NODE_MIN ? rational_least(found, value) : rational_greatest(found, value);
    }
    return found;
}

static Rational chosen(Running *running, const Node *node)
{
    const Node *then = node->first->next;
    bool        holds = rational_sign(value_of(running, node->first)) != 0;
    return value_of(running, holds ? then : then->next);
}

static Rational of_one(Running *running, const Node *node)
{
    Arena   *arena = running->arena;
    Rational value = value_of(running, node->first);
    if (node->kind == NODE_NEGATE)
        return rational_negate(arena, value);
    if (node->kind == NODE_CEIL)
        return rational_ceiling(arena, value);
    if (node->kind == NODE_FLOOR)
        return rational_floor(arena, value);
    return rounding_places(arena, value, ROUND_HALF_UP, 0);
}

static Rational of_two(Running *running, const Node *node)
{
    Arena   *arena = running->arena;
    Rational a = value_of(running, node->first), b = value_of(running, node->first->next);
    int      order = rational_compare(a, b);
    switch ((int)node->kind) {
    case NODE_ADD:
        return rational_add(arena, a, b);
    case NODE_SUBTRACT:
        return rational_subtract(arena, a, b);
    case NODE_MULTIPLY:
        return rational_multiply(arena, a, b);
    case NODE_DIVIDE:
        return quotient(running, a, b);
    case NODE_LESS:
        return truth(order < 0);
    case NODE_LESS_OR_EQUAL:
        return truth(order <= 0);
    case NODE_MORE:
        return truth(order > 0);
    case NODE_MORE_OR_EQUAL:
        return truth(order >= 0);
    case NODE_EQUAL:
        return truth(order == 0);
    }
    return truth(order != 0);
}

static Rational value_of(Running *running, const Node *node)
{
    switch (node->kind) {
    case NODE_NUMBER:
        return node->number;
    case NODE_NAME:
        return running->values[node->name];
    case NODE_MIN:
    case NODE_MAX:
        return extreme(running, node);
    case NODE_IF:
        return chosen(running, node);
    case NODE_NEGATE:
    case NODE_CEIL:
    case NODE_FLOOR:
    case NODE_ROUND:
        return of_one(running, node);
    case NODE_ADD:
    case NODE_SUBTRACT:
    case NODE_MULTIPLY:
    case NODE_DIVIDE:
    case NODE_LESS:
    case NODE_LESS_OR_EQUAL:
    case NODE_MORE:
    case NODE_MORE_OR_EQUAL:
    case NODE_EQUAL:
    case NODE_NOT_EQUAL:
        break;
    }
    return of_two(running, node);
}

Rational formula_value(Arena *arena, const Formula *formula, const Rational *values,
                       size_t *by_zero)
{
    Running  running = { .arena = arena, .values = values };
    Rational value = value_of(&running, formula->root);
    *by_zero = running.by_zero;
    return value;
}

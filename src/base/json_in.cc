// SPDX-License-Identifier: Apache-2.0
// JSON in: simdjson finds where every value, name and bracket begins (its first stage, which also
// checks UTF-8, control characters in strings and unclosed strings); this file walks those places
// once and checks all that is left: the grammar, numbers, escapes, duplicate members, depth,
// trailing text. simdjson's own walkers are not used, because On-Demand skips the checks of what is
// not asked for and the DOM turns numbers into doubles.
//
// Invariant: a tree is answered only for text that RFC 8259 allows as a whole, within the limits.
#include <simdjson.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#define _Noreturn [[noreturn]]
extern "C" {
#include "base/assert.h"
#include "base/json.h"
}

namespace {

constexpr uint32_t DEPTH_MAX = 256;             // of any limit asked for
constexpr size_t   CAPACITY_FIRST = 64 * 1024;  // simdjson keeps 5 bytes for each byte of text
constexpr size_t   CAPACITY_KEPT = 4 << 20;
constexpr uint32_t NODES_AT_ONCE = 64;
constexpr uint32_t NAMES_COMPARED = 16;         // beyond that many members they are sorted instead

using Stage1 = simdjson::internal::dom_parser_implementation;

Str str_none()
{
    return Str{nullptr, 0};
}

}  // namespace

struct JsonParser {
    std::unique_ptr<Stage1> stage1;
};

namespace {

// An array or object that is open while the text is walked.
struct Frame {
    Json  *container;
    Json **end;  // where the next child is hung
};

struct Walk {
    Arena          *arena;
    Str             text;
    const uint32_t *at;    // the next place
    const uint32_t *stop;
    Json           *free;  // nodes taken from the arena and not used yet
    uint32_t        free_count;
    bool            has_escapes;
    uint32_t        depth, depth_max;
    Frame           frames[DEPTH_MAX];
};

void pointer_add(Text *path, Str name)
{
    text_add_char(path, '/');
    for (size_t i = 0; i < name.length; i++) {
        char byte = name.at[i];
        if (byte == '~' || byte == '/')
            text_print(path, "~%c", byte == '~' ? '0' : '1');
        else
            text_add_char(path, byte);
    }
}

// The path of the value being read: the frames know the names and how many elements came before.
Str pointer_of(Walk *walk)
{
    Text path = text_open(walk->arena);
    for (uint32_t i = 0; i < walk->depth; i++) {
        const Json *container = walk->frames[i].container;
        if (container->count == 0)
            break;
        if (container->kind == JSON_ARRAY) {
            text_print(&path, "/%u", container->count - 1);
            continue;
        }
        const Json *last = container->first;
        while (last->next != nullptr)
            last = last->next;
        pointer_add(&path, last->name);
    }
    return text_str(&path);
}

Err *fault(Walk *walk, ErrCode code, size_t offset, const char *what)
{
    return refuse(walk->arena, code, pointer_of(walk), "%s at byte %zu", what, offset);
}

Err *invalid(Walk *walk, size_t offset, const char *what)
{
    return fault(walk, ERR_JSON_INVALID, offset, what);
}

size_t offset_of(const Walk *walk)
{
    return walk->at < walk->stop ? *walk->at : walk->text.length;
}

// The byte at the next place, 0 at the end of the text.
char peek(const Walk *walk)
{
    return walk->at < walk->stop ? walk->text.at[*walk->at] : 0;
}

Json *node_new(Walk *walk)
{
    if (walk->free_count == 0) {
        size_t left = static_cast<size_t>(walk->stop - walk->at) + 1;
        walk->free_count = left < NODES_AT_ONCE ? static_cast<uint32_t>(left) : NODES_AT_ONCE;
        walk->free = arena_array(walk->arena, Json, walk->free_count);
    }
    walk->free_count--;
    return walk->free++;
}

bool is_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    int letter = digit | 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

// Four hexadecimal digits; -1 when they are not.
int32_t hex4(const char *at, const char *end)
{
    int32_t value = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(at[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

char *utf8_put(char *to, uint32_t point)
{
    if (point < 0x80) {
        *to++ = static_cast<char>(point);
        return to;
    }
    if (point < 0x800) {
        *to++ = static_cast<char>(0xc0 | point >> 6);
    } else {
        if (point < 0x10000) {
            *to++ = static_cast<char>(0xe0 | point >> 12);
        } else {
            *to++ = static_cast<char>(0xf0 | point >> 18);
            *to++ = static_cast<char>(0x80 | (point >> 12 & 0x3f));
        }
        *to++ = static_cast<char>(0x80 | (point >> 6 & 0x3f));
    }
    *to++ = static_cast<char>(0x80 | (point & 0x3f));
    return to;
}

// Reads \uXXXX (and the second half of a pair) behind the backslash; nullptr when it is none or
// half a pair.
const char *unicode_escape(const char *at, const char *end, char **to)
{
    int32_t point = hex4(at + 1, end);
    if (point < 0 || (point >= 0xdc00 && point <= 0xdfff))
        return nullptr;
    at += 5;
    if (point >= 0xd800 && point <= 0xdbff) {
        if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
            return nullptr;
        int32_t low = hex4(at + 2, end);
        if (low < 0xdc00 || low > 0xdfff)
            return nullptr;
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    }
    *to = utf8_put(*to, static_cast<uint32_t>(point));
    return at;
}

Err *unescape(Walk *walk, Str raw, Str *plain)
{
    const char *end = raw.at + raw.length;
    char       *start = static_cast<char *>(arena_take(walk->arena, raw.length));
    char       *to = start;
    for (const char *at = raw.at; at < end;) {
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        size_t      offset = static_cast<size_t>(at - walk->text.at);
        const char *letters = "\"\"\\\\//b\bf\fn\nr\rt\t";
        at++;
        if (at < end && *at == 'u') {
            at = unicode_escape(at, end, &to);
            if (at == nullptr)
                return invalid(walk, offset, "no valid unicode escape");
            continue;
        }
        while (at < end && *letters != 0 && *letters != *at)
            letters += 2;
        if (at >= end || *letters == 0)
            return invalid(walk, offset, "unknown escape");
        *to++ = letters[1];
        at++;
    }
    *plain = Str{start, static_cast<size_t>(to - start)};
    return nullptr;
}

// The string that begins at the next place. Between its closing quote and the place behind it there
// is only white space, so the quote is found from there, not by looking at every byte.
Err *read_string(Walk *walk, Str *value)
{
    size_t start = *walk->at++;
    size_t end = offset_of(walk) - 1;
    while (end > start && is_space(walk->text.at[end]))
        end--;
    if (end == start || walk->text.at[end] != '"')
        return invalid(walk, start, "a string that does not end");
    Str raw = Str{walk->text.at + start + 1, end - start - 1};
    if (walk->has_escapes && memchr(raw.at, '\\', raw.length) != nullptr)
        return unescape(walk, raw, value);
    *value = raw;
    return nullptr;
}

const char *digits_end(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

// The end of the number at the front: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
// nullptr when it is none.
const char *number_end(const char *at, const char *end)
{
    at += at < end && *at == '-';
    const char *whole = at;
    at = digits_end(at, end);
    if (at == whole || (*whole == '0' && at - whole > 1))
        return nullptr;
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        at = digits_end(at, end);
        if (at == fraction)
            return nullptr;
    }
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        const char *exponent = at;
        at = digits_end(at, end);
        if (at == exponent)
            return nullptr;
    }
    return at;
}

bool ends_scalar(const char *at, const char *end)
{
    return at == end || is_space(*at) || *at == ',' || *at == ']' || *at == '}' || *at == ':' ||
           *at == '[' || *at == '{';
}

// true, false, null or a number.
Err *read_scalar(Walk *walk, Json *node)
{
    static const struct {
        Str      word;
        JsonKind kind;
    } words[] = {{{"null", 4}, JSON_NULL}, {{"true", 4}, JSON_TRUE}, {{"false", 5}, JSON_FALSE}};
    size_t      start = *walk->at++;
    const char *at = walk->text.at + start;
    const char *end = walk->text.at + walk->text.length;
    if (*at == '-' || (*at >= '0' && *at <= '9')) {
        const char *behind = number_end(at, end);
        if (behind == nullptr || !ends_scalar(behind, end))
            return invalid(walk, start, "no valid number");
        node->kind = JSON_NUMBER;
        node->text = Str{at, static_cast<size_t>(behind - at)};
        return nullptr;
    }
    for (const auto &entry : words) {
        size_t length = entry.word.length;
        if (static_cast<size_t>(end - at) < length || memcmp(at, entry.word.at, length) != 0)
            continue;
        if (!ends_scalar(at + length, end))
            break;
        node->kind = entry.kind;
        return nullptr;
    }
    return invalid(walk, start, "no JSON value");
}

int names_order(const void *a, const void *b)
{
    return str_compare((*static_cast<const Json *const *>(a))->name,
                       (*static_cast<const Json *const *>(b))->name);
}

const Json *repeated_of_many(Walk *walk, const Json *object)
{
    const Json **members = arena_array(walk->arena, const Json *, object->count);
    size_t       count = 0;
    for (const Json *member = object->first; member != nullptr; member = member->next)
        members[count++] = member;
    qsort(members, count, sizeof *members, names_order);
    for (size_t i = 1; i < count; i++)
        if (str_equal(members[i - 1]->name, members[i]->name))
            return members[i];
    return nullptr;
}

// A member whose name the object has twice; nullptr when there is none.
const Json *repeated(Walk *walk, const Json *object)
{
    if (object->count > NAMES_COMPARED)
        return repeated_of_many(walk, object);
    for (const Json *a = object->first; a != nullptr; a = a->next)
        for (const Json *b = a->next; b != nullptr; b = b->next)
            if (a->name.length == b->name.length && str_equal(a->name, b->name))
                return b;
    return nullptr;
}

Err *frame_open(Walk *walk, Json *node)
{
    if (walk->depth == walk->depth_max)
        return refuse(walk->arena, ERR_JSON_TOO_DEEP, pointer_of(walk),
                      "more than %u levels of nesting at byte %zu", walk->depth_max,
                      offset_of(walk));
    node->kind = peek(walk) == '[' ? JSON_ARRAY : JSON_OBJECT;
    walk->at++;
    walk->frames[walk->depth++] = Frame{node, &node->first};
    return nullptr;
}

Err *refuse_repeated(Walk *walk, Str name)
{
    Text path = text_open(walk->arena);
    walk->depth--;  // so that the pointer is that of the object
    text_add(&path, pointer_of(walk));
    pointer_add(&path, name);
    return refuse(walk->arena, ERR_JSON_DUPLICATE_MEMBER, text_str(&path),
                  "%.*s is there twice in the object that ends at byte %zu", STR_ARG(name),
                  static_cast<size_t>(walk->at[-1]));
}

// Closes every container that ends here; stands before the next element or member afterwards.
Err *frames_close(Walk *walk)
{
    while (walk->depth > 0) {
        Frame *frame = &walk->frames[walk->depth - 1];
        bool   is_object = frame->container->kind == JSON_OBJECT;
        char   next = peek(walk);
        if (next == (is_object ? '}' : ']')) {
            walk->at++;
            const Json *twice = is_object ? repeated(walk, frame->container) : nullptr;
            if (twice != nullptr)
                return refuse_repeated(walk, twice->name);
            walk->depth--;
            continue;
        }
        if (frame->container->count == 0)
            return nullptr;
        if (next != ',')
            return invalid(walk, offset_of(walk), "neither a comma nor the end of what is open");
        walk->at++;
        return nullptr;
    }
    return nullptr;
}

// Hangs a new node into the innermost container and reads its name when that is an object.
Err *child_begin(Walk *walk, Json **child)
{
    Frame *frame = &walk->frames[walk->depth - 1];
    Json  *node = node_new(walk);
    if (frame->container->kind == JSON_OBJECT) {
        if (peek(walk) != '"')
            return invalid(walk, offset_of(walk), "no member name where one belongs");
        Err *refusal = read_string(walk, &node->name);
        if (refusal != nullptr)
            return refusal;
        if (peek(walk) != ':')
            return invalid(walk, offset_of(walk), "no colon behind a member name");
        walk->at++;
    }
    frame->container->count++;
    *frame->end = node;
    frame->end = &node->next;
    *child = node;
    return nullptr;
}

// One value into the node; of an array or object only its opening bracket.
Err *value_begin(Walk *walk, Json *node)
{
    char first = peek(walk);
    if (walk->at == walk->stop)
        return invalid(walk, walk->text.length, "the text ends where a value belongs");
    if (first == '"') {
        node->kind = JSON_STRING;
        return read_string(walk, &node->text);
    }
    if (first == '{' || first == '[')
        return frame_open(walk, node);
    return read_scalar(walk, node);
}

Err *walk_all(Walk *walk, Json **root)
{
    Json *node = node_new(walk);
    *root = node;
    for (;;) {
        Err *refusal = value_begin(walk, node);
        if (refusal == nullptr)
            refusal = frames_close(walk);
        if (refusal == nullptr && walk->depth == 0)
            break;
        if (refusal == nullptr)
            refusal = child_begin(walk, &node);
        if (refusal != nullptr)
            return refusal;
    }
    if (walk->at != walk->stop)
        return invalid(walk, offset_of(walk), "text behind the end of the document");
    return nullptr;
}

void capacity_fit(JsonParser *parser, size_t length)
{
    size_t capacity = parser->stage1->capacity();
    if (capacity > CAPACITY_KEPT && length <= CAPACITY_FIRST)
        capacity = CAPACITY_FIRST;
    while (capacity < length)
        capacity *= 2;
    if (capacity != parser->stage1->capacity())
        assert_that(parser->stage1->set_capacity(capacity) == simdjson::SUCCESS);
}

const char *stage1_fault(simdjson::error_code code)
{
    if (code == simdjson::UTF8_ERROR)
        return "the text is not valid UTF-8";
    if (code == simdjson::EMPTY)
        return "there is no JSON text";
    if (code == simdjson::UNCLOSED_STRING)
        return "a string does not end";
    if (code == simdjson::UNESCAPED_CHARS)
        return "a string holds a control character that is not escaped";
    return "the text is not JSON";
}

}  // namespace

extern "C" JsonParser *json_parser_open(void)
{
    auto *parser = new JsonParser();
    assert_that(simdjson::get_active_implementation()->create_dom_parser_implementation(
                    CAPACITY_FIRST, 1, parser->stage1) == simdjson::SUCCESS);
    return parser;
}

extern "C" void json_parser_close(JsonParser *parser)
{
    delete parser;
}

extern "C" Err *json_parse(JsonParser *parser, Arena *arena, Str text, JsonLimits limits,
                           Json **root)
{
    assert_that(limits.depth > 0 && limits.depth <= DEPTH_MAX);
    if (text.length == 0)
        return refuse(arena, ERR_JSON_INVALID, str_none(), "there is no JSON text");
    if (text.length > UINT32_MAX - JSON_PADDING)
        return refuse(arena, ERR_JSON_INVALID, str_none(), "the text is longer than 4 GiB");
    capacity_fit(parser, text.length);
    Stage1 *stage1 = parser->stage1.get();
    simdjson::error_code code = stage1->stage1(reinterpret_cast<const uint8_t *>(text.at),
                                               text.length, simdjson::stage1_mode::regular);
    if (code != simdjson::SUCCESS)
        return refuse(arena, ERR_JSON_INVALID, str_none(), "%s", stage1_fault(code));

    Walk walk;
    walk.arena = arena;
    walk.text = text;
    walk.at = stage1->structural_indexes.get();
    walk.stop = walk.at + stage1->n_structural_indexes;
    walk.free = nullptr;
    walk.free_count = 0;
    walk.has_escapes = memchr(text.at, '\\', text.length) != nullptr;
    walk.depth = 0;
    walk.depth_max = limits.depth;
    Json *tree;
    Err  *refusal = walk_all(&walk, &tree);
    if (refusal == nullptr)
        *root = tree;
    return refusal;
}

extern "C" Err *json_parse_copy(Arena *arena, Str text, Json **root)
{
    char *padded = static_cast<char *>(arena_take(arena, text.length + JSON_PADDING));
    if (text.length > 0)
        memcpy(padded, text.at, text.length);
    JsonParser *parser = json_parser_open();
    Err *refusal = json_parse(parser, arena, Str{padded, text.length}, JsonLimits{64}, root);
    json_parser_close(parser);
    return refusal;
}

extern "C" Err *json_parse_stored(Arena *arena, Str text, Json **root)
{
    Err *err = json_parse_copy(arena, text, root);
    return err == NULL ? NULL
                       : refuse(arena, ERR_STORE_FAILED, Str{nullptr, 0},
                                "a stored document cannot be read: %.*s", STR_ARG(err->detail));
}

extern "C" const Json *json_find(const Json *object, Str name)
{
    if (object == nullptr || object->kind != JSON_OBJECT)
        return nullptr;
    for (const Json *member = object->first; member != nullptr; member = member->next)
        if (str_equal(member->name, name))
            return member;
    return nullptr;
}

extern "C" Str json_text(const Json *object, const char *name)
{
    const Json *member = json_find(object, str_of(name));
    return member == nullptr || member->kind != JSON_STRING ? Str{} : member->text;
}

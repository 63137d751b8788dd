// SPDX-License-Identifier: Apache-2.0
// Everything is drawn twice: once to count the pages, once for "Page 1 of 3". Cairo 1.16 loses 768
// bytes of each PDF surface when it is finished.
#include "api/invoice_pdf.h"

#include <cairo-pdf.h>
#include <pango/pangocairo.h>

#include "time/zone.h"

// Points. Columns of the table of lines.
#define PAGE_WIDTH 595.0
#define PAGE_HEIGHT 842.0
#define MARGIN 48.0
#define INSIDE (PAGE_WIDTH - 2 * MARGIN)
#define BOTTOM (PAGE_HEIGHT - MARGIN - 24)
#define TEXT_SIZE 9.0
#define SMALL_SIZE 7.5
#define TITLE_SIZE 18.0
#define QUANTITY_LEFT (MARGIN + 270)
#define AMOUNT_LEFT (MARGIN + 350)
#define TAX_LEFT (MARGIN + 430)
#define RIGHT (MARGIN + INSIDE)

typedef struct Sheet {
    Arena        *arena;
    const Json   *document;
    const InvoicePdf *drawn;
    cairo_t      *cairo;
    PangoContext *context;
    double        y;
    int           page, pages;  // pages: 0 while they are counted
} Sheet;

// Where and how a text stands.
typedef struct Place {
    double left, width;
    double size;
    bool   is_bold, is_right;
} Place;

static Str member(const Json *object, const char *name)
{
    const Json *found = object == NULL ? NULL : json_find(object, str_of(name));
    return found != NULL && found->kind == JSON_STRING ? found->text : STR_NONE;
}

// Which side a text stands at is the column's, whatever its script. Given back with g_object_unref.
static PangoLayout *text_lay(const Sheet *sheet, Place place, Str text)
{
    PangoLayout          *layout = pango_layout_new(sheet->context);
    PangoFontDescription *font = pango_font_description_new();
    pango_font_description_set_family(font, "Sans");
    pango_font_description_set_absolute_size(font, place.size * PANGO_SCALE);
    if (place.is_bold)
        pango_font_description_set_weight(font, PANGO_WEIGHT_BOLD);
    pango_layout_set_font_description(layout, font);
    pango_layout_set_width(layout, (int)(place.width * PANGO_SCALE));
    pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
    pango_layout_set_auto_dir(layout, FALSE);
    pango_layout_set_alignment(layout, place.is_right ? PANGO_ALIGN_RIGHT : PANGO_ALIGN_LEFT);
    pango_layout_set_text(layout, text.length == 0 ? "" : text.at, (int)text.length);
    pango_font_description_free(font);
    return layout;
}

// An amount stands on one line: set smaller where it is wider than its column.
static Place fitted(const Sheet *sheet, Place place, Str text)
{
    for (; place.size > 4; place.size -= 0.5) {
        Place        endless = place;
        PangoLayout *layout;
        int          width;
        endless.width = 10 * PAGE_WIDTH;
        endless.is_right = false;
        layout = text_lay(sheet, endless, text);
        pango_layout_get_size(layout, &width, NULL);
        g_object_unref(layout);
        if ((double)width / PANGO_SCALE <= place.width)
            break;
    }
    return place;
}

static double text_height(const Sheet *sheet, Place place, Str text)
{
    PangoLayout *layout = text_lay(sheet, place, text);
    int          height;
    pango_layout_get_size(layout, NULL, &height);
    g_object_unref(layout);
    return (double)height / PANGO_SCALE;
}

// Draws it and answers the height that it takes.
static double text_put(const Sheet *sheet, Place place, double y, Str text)
{
    PangoLayout *layout = text_lay(sheet, place, text);
    int          height;
    cairo_move_to(sheet->cairo, place.left, y);
    pango_cairo_show_layout(sheet->cairo, layout);
    pango_layout_get_size(layout, NULL, &height);
    g_object_unref(layout);
    return (double)height / PANGO_SCALE;
}

static void amount_put(const Sheet *sheet, Place place, double y, Str amount)
{
    text_put(sheet, fitted(sheet, place, amount), y, amount);
}

static void rule(const Sheet *sheet, double y)
{
    cairo_set_line_width(sheet->cairo, 0.5);
    cairo_move_to(sheet->cairo, MARGIN, y);
    cairo_line_to(sheet->cairo, RIGHT, y);
    cairo_stroke(sheet->cairo);
}

// ---- pages

static void footer(const Sheet *sheet)
{
    Place at = { MARGIN, INSIDE, SMALL_SIZE, false, true };
    Place left = { MARGIN, INSIDE, SMALL_SIZE, false, false };
    text_put(sheet, left, PAGE_HEIGHT - MARGIN, member(sheet->document, "number"));
    text_put(sheet, at, PAGE_HEIGHT - MARGIN,
             str_print(sheet->arena, "Page %d of %d", sheet->page, sheet->pages));
}

static void table_head(Sheet *sheet)
{
    Place what = { MARGIN, QUANTITY_LEFT - MARGIN - 6, SMALL_SIZE, true, false };
    Place quantity = { QUANTITY_LEFT, AMOUNT_LEFT - QUANTITY_LEFT - 6, SMALL_SIZE, true, true };
    Place amount = { AMOUNT_LEFT, TAX_LEFT - AMOUNT_LEFT - 6, SMALL_SIZE, true, true };
    Place tax = { TAX_LEFT, RIGHT - TAX_LEFT, SMALL_SIZE, true, true };
    text_put(sheet, what, sheet->y, STR("Description"));
    text_put(sheet, quantity, sheet->y, STR("Quantity"));
    text_put(sheet, amount, sheet->y, STR("Amount"));
    sheet->y += text_put(sheet, tax, sheet->y, STR("Tax")) + 3;
    rule(sheet, sheet->y);
    sheet->y += 4;
}

static void page_end(Sheet *sheet)
{
    footer(sheet);
    cairo_show_page(sheet->cairo);
}

static void page_begin(Sheet *sheet)
{
    sheet->page++;
    sheet->y = MARGIN;
}

// Room for so much, on this page or the next.
static bool room(Sheet *sheet, double height)
{
    if (sheet->y + height <= BOTTOM)
        return false;
    page_end(sheet);
    page_begin(sheet);
    return true;
}

// ---- the head of the first page

static double party_put(const Sheet *sheet, Place place, double y, const Json *party)
{
    static const char *const parts[] = { "line1",  "line2",      "city",
                                         "region", "postalCode", "country" };
    const Json *address = party == NULL ? NULL : json_find(party, STR("address"));
    const Json *ids = party == NULL ? NULL : json_find(party, STR("taxIds"));
    Place       name = place;
    name.is_bold = true;
    y += text_put(sheet, name, y, member(party, "name"));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        Str part = address == NULL ? STR_NONE : member(address, parts[i]);
        if (part.length > 0)
            y += text_put(sheet, place, y, part);
    }
    bool has_ids = ids != NULL && ids->kind == JSON_ARRAY;
    for (const Json *id = has_ids ? ids->first : NULL; id != NULL; id = id->next)
        y += text_put(sheet, place, y,
                      str_print(sheet->arena, "Tax ID %.*s", STR_ARG(id->text)));
    return y;
}

static double fact_put(const Sheet *sheet, double y, const char *name, Str value)
{
    Place left = { MARGIN + 300, 90, TEXT_SIZE, false, false };
    Place right = { MARGIN + 390, INSIDE - 390, TEXT_SIZE, false, true };
    if (value.length == 0)
        return y;
    text_put(sheet, left, y, str_of(name));
    return y + text_put(sheet, right, y, value);
}

static const Zone *zone_of(const Json *object)
{
    const Zone *zone = zone_find(member(object, "timeZone"));
    return zone == NULL ? zone_utc() : zone;
}

// The date of an instant as a clock on the wall there shows it.
static Str day_of(const Sheet *sheet, const Zone *zone, Str text, int64_t earlier_us)
{
    Instant instant;
    if (!instant_parse(text, &instant))
        return STR_NONE;
    return date_print(sheet->arena,
                      zone_local(zone, (Instant){ instant.us - earlier_us }).date);
}

static void head_put(Sheet *sheet)
{
    const Json *document = sheet->document;
    Place       title = { MARGIN + 300, INSIDE - 300, TITLE_SIZE, true, true };
    Place       seller = { MARGIN, 280, TEXT_SIZE, false, false };
    const Zone *zone = zone_of(document);
    double      facts = sheet->y;
    facts += text_put(sheet, title, facts, str_of(sheet->drawn->title)) + 6;
    facts = fact_put(sheet, facts, "Number", member(document, "number"));
    facts = fact_put(sheet, facts, "Invoice", member(document, "of"));
    facts = fact_put(sheet, facts, "Reason", member(document, "reason"));
    facts = fact_put(sheet, facts, "Issued",
                     day_of(sheet, zone, member(document, "issuedAt"), 0));
    facts = fact_put(sheet, facts, "Due", day_of(sheet, zone, member(document, "dueAt"), 0));
    facts = fact_put(sheet, facts, "Order", member(document, "poNumber"));
    facts = fact_put(sheet, facts, "Account", member(document, "account"));
    double y = party_put(sheet, seller, sheet->y, json_find(document, STR("seller"))) + 24;
    y = party_put(sheet, seller, y, json_find(document, STR("buyer")));
    sheet->y = (y > facts ? y : facts) + 24;
}

// ---- lines

// From its first day to its last, which both belong to it.
static Str span_text(const Sheet *sheet, const Json *line)
{
    const Json *period = json_find(line, STR("period"));
    bool        is_own = member(line, "timeZone").at != NULL;
    const Zone *zone = zone_of(is_own ? line : sheet->document);
    bool        is_moment = str_equal(member(period, "start"), member(period, "end"));
    Str         start = day_of(sheet, zone, member(period, "start"), 0);
    Str         end = day_of(sheet, zone, member(period, "end"), is_moment ? 0 : 1);
    return str_equal(start, end)
               ? start
               : str_print(sheet->arena, "%.*s to %.*s", STR_ARG(start), STR_ARG(end));
}

// How a step of its arithmetic is told: "{count} x {each}", each a member of the step.
typedef struct StepText {
    const char *op, *count, *each, *unit;
} StepText;

static const StepText step_texts[] = {
    { "unit", "quantity", "unitPrice", "" },
    { "cell", "quantity", "unitPrice", "" },
    { "tier", "quantity", "unitPrice", "" },
    { "tier", "packages", "packagePrice", "" },
    { "tier", "quantity", "ratePercent", " %" },
    { "package", "packages", "packagePrice", "" },
    { "percent", "quantity", "ratePercent", " %" },
    { "percent", "base", "ratePercent", " %" },
};
enum { STEPS_SHOWN = 12 };

static bool step_add(Text *text, const Json *step)
{
    if (str_equal(member(step, "op"), STR("billed"))) {
        text_print(text, "\nless %.*s billed before", STR_ARG(member(step, "billed")));
        return true;
    }
    for (size_t i = 0; i < sizeof step_texts / sizeof *step_texts; i++) {
        const StepText *told = &step_texts[i];
        Str             count = member(step, told->count), each = member(step, told->each);
        if (!str_equal(member(step, "op"), str_of(told->op)) || count.at == NULL ||
            each.at == NULL || str_equal(count, STR("0")))
            continue;
        Str fee = member(step, "flatFee");
        text_print(text, "\n%.*s x %.*s%s", STR_ARG(count), STR_ARG(each), told->unit);
        if (fee.at != NULL && !str_equal(fee, STR("0")))
            text_print(text, " + %.*s", STR_ARG(fee));
        return true;
    }
    return false;
}

// What was multiplied with what; all of it is in the document.
static void steps_add(Text *text, const Json *line)
{
    const Json *steps = json_find(line, STR("steps"));
    int         shown = 0;
    const Json *step = steps != NULL && steps->kind == JSON_ARRAY ? steps->first : NULL;
    for (; step != NULL && shown < STEPS_SHOWN; step = step->next)
        shown += step_add(text, step);
    if (step != NULL)
        text_add(text, STR("\n…"));
}

// Which line of which invoice it corrects.
static void corrected_add(const Sheet *sheet, Text *text, const Json *line)
{
    const Json *of = json_find(line, STR("of"));
    Str         id = member(of, "invoice");
    const Json *number = of == NULL ? NULL : json_find(of, STR("line"));
    for (size_t i = 0; id.at != NULL && i < sheet->drawn->name_count; i++)
        if (str_equal(sheet->drawn->names[i].id, id))
            text_print(text, "\nCorrects %.*s", STR_ARG(sheet->drawn->names[i].number));
    if (id.at != NULL && number != NULL && number->kind == JSON_NUMBER)
        text_print(text, ", line %.*s", STR_ARG(number->text));
}

// Its time, its group, what it corrects, its prices, what was taken off it.
static Str line_details(const Sheet *sheet, const Json *line)
{
    Text        text = text_open(sheet->arena);
    const Json *group = json_find(line, STR("group"));
    Str         discount = member(line, "discount");
    bool        has_group = group != NULL && group->kind == JSON_OBJECT;
    text_add(&text, span_text(sheet, line));
    for (const Json *value = has_group ? group->first : NULL; value != NULL; value = value->next)
        text_print(&text, "  %.*s: %.*s", STR_ARG(value->name),
                   STR_ARG(value->kind == JSON_STRING ? value->text : STR("-")));
    corrected_add(sheet, &text, line);
    steps_add(&text, line);
    if (discount.length > 0 && discount.at[0] == '-')
        text_print(&text, "\nDiscount %.*s", STR_ARG(discount));
    return text_str(&text);
}

static void line_put(Sheet *sheet, const Json *line)
{
    Place what = { MARGIN, QUANTITY_LEFT - MARGIN - 6, TEXT_SIZE, false, false };
    Place more = { MARGIN, QUANTITY_LEFT - MARGIN - 6, SMALL_SIZE, false, false };
    Place quantity = { QUANTITY_LEFT, AMOUNT_LEFT - QUANTITY_LEFT - 6, TEXT_SIZE, false, true };
    Place amount = { AMOUNT_LEFT, TAX_LEFT - AMOUNT_LEFT - 6, TEXT_SIZE, false, true };
    Place tax = { TAX_LEFT, RIGHT - TAX_LEFT, TEXT_SIZE, false, true };
    Str   name = member(line, "description"), details = line_details(sheet, line);
    if (room(sheet, text_height(sheet, what, name) + text_height(sheet, more, details)))
        table_head(sheet);
    amount_put(sheet, quantity, sheet->y, member(line, "quantity"));
    amount_put(sheet, amount, sheet->y, member(line, "amount"));
    amount_put(sheet, tax, sheet->y, member(line, "tax"));
    sheet->y += text_put(sheet, what, sheet->y, name);
    sheet->y += text_put(sheet, more, sheet->y, details) + 5;
}

// ---- what it comes to

static void sum_put(Sheet *sheet, Str name, Str amount, bool is_bold)
{
    Place left = { MARGIN + 230, 180, TEXT_SIZE, is_bold, false };
    Place right = { AMOUNT_LEFT + 40, RIGHT - AMOUNT_LEFT - 40, TEXT_SIZE, is_bold, true };
    room(sheet, 16);
    text_put(sheet, right, sheet->y, amount);
    sheet->y += text_put(sheet, left, sheet->y, name) + 2;
}

// What is 0 is left out.
static void sum_if(Sheet *sheet, const char *name, const char *from)
{
    Str amount = member(sheet->document, from);
    for (size_t i = 0; i < amount.length; i++)
        if (amount.at[i] >= '1' && amount.at[i] <= '9') {
            sum_put(sheet, str_of(name), amount, false);
            return;
        }
}

static void taxes_put(Sheet *sheet)
{
    const Json *taxes = json_find(sheet->document, STR("taxes"));
    if (taxes == NULL)
        sum_if(sheet, "Tax", "tax");
    for (const Json *tax = taxes == NULL ? NULL : taxes->first; tax != NULL; tax = tax->next) {
        const Json *inclusive = json_find(tax, STR("inclusive"));
        bool        is_within = inclusive != NULL && inclusive->kind == JSON_TRUE;
        Str         name = str_print(
            sheet->arena, "%.*s %.*s %% %s %.*s", STR_ARG(member(tax, "name")),
            STR_ARG(member(tax, "percent")), is_within ? "included, of" : "of",
            STR_ARG(member(tax, "net")));
        sum_put(sheet, name, member(tax, "tax"), false);
    }
    if (str_equal(member(sheet->document, "taxStatus"), STR("reverseCharge")))
        sum_put(sheet, STR("Reverse charge: tax is due from the buyer"), STR_NONE, false);
}

static void sums_put(Sheet *sheet)
{
    Str   currency = member(sheet->document, "currency");
    Str   memo = member(sheet->document, "memo");
    Place whole = { MARGIN, INSIDE, TEXT_SIZE, false, false };
    room(sheet, 120);
    rule(sheet, sheet->y);
    sheet->y += 8;
    sum_put(sheet, STR("Subtotal"), member(sheet->document, "subtotal"), false);
    sum_if(sheet, "Discounts", "discounts");
    taxes_put(sheet);
    sum_if(sheet, "Credit restored", "creditsRestored");
    sum_put(sheet, str_print(sheet->arena, "Total %.*s", STR_ARG(currency)),
            member(sheet->document, "total"), true);
    sum_if(sheet, "To the customer's balance", "toBalance");
    sum_if(sheet, "Credit", "credits");
    sum_if(sheet, "From the customer's balance", "balanceUsed");
    if (member(sheet->document, "amountDue").at != NULL)
        sum_put(sheet, str_print(sheet->arena, "Amount due %.*s", STR_ARG(currency)),
                member(sheet->document, "amountDue"), true);
    if (memo.length > 0) {
        room(sheet, text_height(sheet, whole, memo) + 20);
        sheet->y += 20;
        text_put(sheet, whole, sheet->y, memo);
    }
}

// ---- the whole

static cairo_status_t bytes_take(void *closure, const unsigned char *bytes, unsigned int count)
{
    Text *pdf = closure;
    if (pdf != NULL)
        text_add_bytes(pdf, bytes, count);
    return CAIRO_STATUS_SUCCESS;
}

static void pages_draw(Sheet *sheet)
{
    const Json *lines = json_find(sheet->document, STR("lines"));
    sheet->page = 0;
    page_begin(sheet);
    head_put(sheet);
    table_head(sheet);
    for (const Json *line = lines == NULL ? NULL : lines->first; line != NULL; line = line->next)
        line_put(sheet, line);
    sums_put(sheet);
    page_end(sheet);
}

// One run. pdf: NULL to count.
static bool run(Sheet *sheet, PangoFontMap *fonts, Text *pdf)
{
    cairo_surface_t *surface =
        cairo_pdf_surface_create_for_stream(bytes_take, pdf, PAGE_WIDTH, PAGE_HEIGHT);
    Str issued = member(sheet->document, "issuedAt");
    Str made = issued.at == NULL ? member(sheet->document, "at") : issued;
    made.length = made.length < 19 ? made.length : 19;  // to the second, in UTC
    cairo_pdf_surface_set_metadata(
        surface, CAIRO_PDF_METADATA_CREATE_DATE,
        str_print(sheet->arena, "%.*sZ", STR_ARG(made)).at);
    if (member(sheet->document, "number").at != NULL)
        cairo_pdf_surface_set_metadata(
            surface, CAIRO_PDF_METADATA_TITLE,
            str_terminated(sheet->arena, member(sheet->document, "number")));
    sheet->cairo = cairo_create(surface);
    sheet->context = pango_font_map_create_context(fonts);
    pages_draw(sheet);
    g_object_unref(sheet->context);
    cairo_surface_finish(surface);
    bool is_drawn = cairo_status(sheet->cairo) == CAIRO_STATUS_SUCCESS &&
                    cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS;
    cairo_destroy(sheet->cairo);
    cairo_surface_destroy(surface);
    return is_drawn;
}

// The bytes of a character that is none and that Cairo does not draw: U+FDD0 to U+FDEF, and the
// last two of each plane. 0: it is drawn.
static size_t noncharacter(Str text, size_t at)
{
    const unsigned char *byte = (const unsigned char *)text.at + at;
    size_t               left = text.length - at;
    if (left >= 3 && byte[0] == 0xEF && byte[1] == 0xB7 && byte[2] >= 0x90 && byte[2] <= 0xAF)
        return 3;
    if (left >= 3 && byte[0] == 0xEF && byte[1] == 0xBF && byte[2] >= 0xBE)
        return 3;
    return left >= 4 && byte[0] >= 0xF0 && (byte[1] & 0x0F) == 0x0F && byte[2] == 0xBF &&
                   byte[3] >= 0xBE
               ? 4
               : 0;
}

// With U+FFFD in their places.
static Str drawable(Arena *arena, Str document)
{
    Text   text = text_open(arena);
    size_t from = 0;
    for (size_t at = 0; at < document.length; at++) {
        size_t length = noncharacter(document, at);
        if (length == 0)
            continue;
        text_add(&text, (Str){ document.at + from, at - from });
        text_add(&text, STR("\xEF\xBF\xBD"));
        from = at + length;
    }
    text_add(&text, (Str){ document.at + from, document.length - from });
    return text_str(&text);
}

Err *invoice_pdf(Arena *arena, const InvoicePdf *drawn, Text *pdf)
{
    Sheet sheet = { .arena = arena, .drawn = drawn };
    Json *parsed;
    TRY(json_parse_stored(arena, drawable(arena, drawn->document), &parsed));
    sheet.document = parsed;
    PangoFontMap *fonts = pango_cairo_font_map_get_default();  // of this thread, kept by Pango
    bool          is_drawn = run(&sheet, fonts, NULL);
    sheet.pages = sheet.page;
    is_drawn = is_drawn && run(&sheet, fonts, pdf);
    return is_drawn ? NULL
                    : refuse(arena, ERR_STORE_FAILED, STR_NONE, "the invoice cannot be drawn");
}

// SPDX-License-Identifier: Apache-2.0
#include "flow/invoice/tax_rate.h"

#include "catalog/body.h"

enum { NAME_BYTES = 255, CATEGORIES_MAX = 50 };

static void percent_read(const Json *body, StoredTaxRate *rate, Faults *faults)
{
    const Json *percent = body_find(body, "percent");
    Decimal     number;
    if (percent == NULL) {
        faults_add(faults, ERR_FIELD_REQUIRED, STR("/percent"), "percent is missing");
        return;
    }
    bool is_number = (percent->kind == JSON_NUMBER || percent->kind == JSON_STRING) &&
                     decimal_parse(percent->text, DECIMAL_WHOLE_DIGITS, &number);
    if (is_number) {
        rate->percent = rational_of(faults->arena, number);
        rate->percent_text = rational_print(faults->arena, rate->percent);
    }
    if (!is_number || rational_sign(rate->percent) < 0 ||
        rational_compare(rate->percent, rational_whole(faults->arena, 100)) > 0)
        faults_add(faults, ERR_FIELD_INVALID, STR("/percent"),
                   "percent is a decimal between 0 and 100");
}

static void categories_read(const Json *body, StoredTaxRate *rate, Faults *faults)
{
    const Json *list = body_find(body, "categories");
    bool        fits = list == NULL || (list->kind == JSON_ARRAY && list->count > 0 &&
                                 list->count <= CATEGORIES_MAX);
    if (list != NULL && fits) {
        Str *categories = arena_array(faults->arena, Str, list->count);
        for (const Json *text = list->first; text != NULL; text = text->next) {
            fits = fits && text->kind == JSON_STRING && name_is_valid(text->text);
            categories[rate->category_count++] = text->text;
        }
        rate->categories = categories;
    }
    if (!fits)
        faults_add(faults, ERR_FIELD_INVALID, STR("/categories"),
                   "categories is a list of 1 to %d names", CATEGORIES_MAX);
}

static bool bool_read(const Json *body, const char *name, Faults *faults)
{
    const Json *member = body_find(body, name);
    if (member != NULL && member->kind != JSON_TRUE && member->kind != JSON_FALSE)
        faults_add(faults, ERR_FIELD_INVALID, str_print(faults->arena, "/%s", name),
                   "%s is true or false", name);
    return member != NULL && member->kind == JSON_TRUE;
}

// What is kept, and compared.
static Str definition_of(Arena *arena, const StoredTaxRate *rate)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    json_object(&out);
    json_string_member(&out, "name", rate->name);
    json_string_member(&out, "percent", rate->percent_text);
    json_bool_member(&out, "inclusive", rate->inclusive);
    if (rate->jurisdiction.at != NULL)
        json_string_member(&out, "jurisdiction", rate->jurisdiction);
    if (rate->category_count > 0) {
        json_name(&out, STR("categories"));
        json_array(&out);
        for (size_t i = 0; i < rate->category_count; i++)
            json_string(&out, rate->categories[i]);
        json_array_end(&out);
    }
    json_object_end(&out);
    return text_str(&text);
}

StoredTaxRate *tax_rate_from_json(Arena *arena, const Json *body, Str id, Faults *faults)
{
    static const char *const members[] = { "id",           "name",       "percent",
                                           "inclusive",    "jurisdiction", "categories",
                                           "effectiveFrom", NULL };
    StoredTaxRate *rate = arena_new(arena, StoredTaxRate);
    *rate = (StoredTaxRate){ .id = id, .percent = rational_zero(), .percent_text = STR("0") };
    rate->effective_from = INSTANT_FIRST;
    if (!name_is_valid(id))
        faults_add(faults, ERR_PARAMETER_INVALID, STR_NONE,
                   "the id of a tax rate is a name of 1 to 128 letters, digits and ._:-");
    if (!body_members(body, members, faults))
        return rate;
    body_id(body, id, faults);
    rate->name = body_text(body, "name", NAME_BYTES, faults);
    if (rate->name.at == NULL)
        rate->name = id;
    percent_read(body, rate, faults);
    rate->inclusive = bool_read(body, "inclusive", faults);
    rate->jurisdiction = body_text(body, "jurisdiction", NAME_BYTES, faults);
    categories_read(body, rate, faults);
    body_instant(body, "effectiveFrom", &rate->effective_from, faults);
    rate->definition = definition_of(arena, rate);
    return rate;
}

void tax_rate_to_json(const StoredTaxRate *rate, Arena *arena, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "id", rate->id);
    json_string_member(out, "name", rate->name);
    json_string_member(out, "percent", rate->percent_text);
    json_bool_member(out, "inclusive", rate->inclusive);
    if (rate->jurisdiction.at == NULL)
        json_null_member(out, "jurisdiction");
    else
        json_string_member(out, "jurisdiction", rate->jurisdiction);
    json_name(out, STR("categories"));
    json_array(out);
    for (size_t i = 0; i < rate->category_count; i++)
        json_string(out, rate->categories[i]);
    json_array_end(out);
    if (rate->effective_from.us == INSTANT_FIRST.us)
        json_null_member(out, "effectiveFrom");
    else
        json_string_member(out, "effectiveFrom", instant_print(arena, rate->effective_from));
    json_object_end(out);
}

bool tax_rate_is_for(const StoredTaxRate *rate, Str category)
{
    for (size_t i = 0; i < rate->category_count; i++)
        if (category.at != NULL && str_equal(rate->categories[i], category))
            return true;
    return rate->category_count == 0;
}

// SPDX-License-Identifier: Apache-2.0
// Worked: 31.00 over 31 days, earned to the 11th: 10.00. Cut to 20.00 ending on the 21st: 11.00 go
// back from what is deferred (21.00), and the 10.00 that are left are earned over ten days.
#include "flow/invoice/revenue_item.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/int128.h"

Str revenue_item_name(Arena *arena, const RevenueKey *key)
{
    unsigned char bytes[32];
    Text          text = text_open(arena);
    text_add_signed(&text, key->side);
    text_add_counted(&text, key->subscription);
    text_add_counted(&text, str_of(line_kind_name(key->kind)));
    text_add_counted(&text, key->charge.at == NULL ? STR("") : key->charge);
    text_add_signed(&text, key->start.us);
    Digest digest = digest_of(text_str(&text));
    digest_write(&digest, bytes);
    return str_hex(arena, bytes, sizeof bytes);
}

RevenueItem *revenue_item_find(const RevenueItems *items, Str name)
{
    for (size_t i = 0; i < items->count; i++)
        if (str_equal(items->at[i].item, name))
            return &items->at[i];
    return NULL;
}

RevenueItem *revenue_item_add(Arena *arena, RevenueItems *items, const RevenueItem *item)
{
    if (items->count == items->room) {
        items->room = items->room == 0 ? 8 : 2 * items->room;
        RevenueItem *more = arena_array(arena, RevenueItem, items->room);
        for (size_t i = 0; i < items->count; i++)
            more[i] = items->at[i];
        items->at = more;
    }
    RevenueItem *added = &items->at[items->count++];
    *added = *item;
    added->amount = added->earned = added->base = 0;
    added->base_at = added->earned_until = item->service.start;
    added->is_stored = false;
    added->is_changed = true;
    return added;
}

int64_t revenue_item_change(RevenueItem *item, int64_t net, Instant end)
{
    int64_t left = item->amount - item->earned;
    int64_t moved = net < -left ? -left : net;
    assert_that(item->side == REVENUE_DEFERRED && left >= 0);
    item->amount += moved;
    item->base = item->earned;
    item->base_at = item->earned_until;
    item->service.end = end;
    item->is_changed = true;
    return moved;
}

static int64_t day_of(const Zone *zone, Instant at)
{
    return date_days(zone_local(zone, at).date);
}

int64_t revenue_item_earned(const RevenueItem *item, const Zone *zone, Instant day)
{
    int64_t first = day_of(zone, item->base_at);
    int64_t days = day_of(zone, item->service.end) - first;
    int64_t passed = day_of(zone, day) - first;
    if (day.us >= item->service.end.us || (days > 0 && passed >= days))
        return item->amount;
    if (passed <= 0)
        return item->base;
    Int128 left = (Int128)(item->amount - item->base) * passed;
    return item->base + (int64_t)((2 * left + days) / (2 * days));
}

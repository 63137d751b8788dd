// SPDX-License-Identifier: Apache-2.0
#include "flow/aggregate/stored.h"

#include "flow/aggregate/partition_inside.h"

Err *stored_events_open(Partition *partition, Arena *arena, const EventKey *key, Str block,
                        StoredEvents *stored)
{
    *stored = (StoredEvents){ .partition = partition };
    if (key->project >= names_count(partition->names, NAME_PROJECT) ||
        key->event >= names_count(partition->names, NAME_EVENT) ||
        key->account >= names_count(partition->names, NAME_ACCOUNT))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "a stored event names what is not known");
    stored->project = names_text(partition->names, NAME_PROJECT, key->project, NULL);
    stored->event = names_text(partition->names, NAME_EVENT, key->event, NULL);
    stored->account = names_text(partition->names, NAME_ACCOUNT, key->account, NULL);
    return event_block_decode(arena, block, &stored->rows, &stored->count);
}

bool stored_events_next(StoredEvents *stored, Event *event)
{
    if (stored->next == stored->count)
        return false;
    const BlockRow *row = &stored->rows[stored->next];
    stored->row = stored->next++;
    stored->sequence = row->sequence;
    stored->received = row->received;
    *event = (Event){
        .unique_id = row->unique_id,
        .event = stored->event,
        .account = stored->account,
        .value = row->value,
        .ts = row->ts,
        .ts_given = row->ts_given,
        .properties = row->properties,
    };
    event_identify(event, stored->project, &stored->partition->options.key);
    return true;
}

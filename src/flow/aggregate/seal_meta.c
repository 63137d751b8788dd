// SPDX-License-Identifier: Apache-2.0
#include "flow/aggregate/seal_meta.h"

enum { META_FORM = 2, META_WITHOUT_VOIDS = 1, METER_REMOVED = 1, METER_FRESH = 2 };

SealMeta seal_meta_open(Arena *arena)
{
    return (SealMeta){ .names = text_open(arena),
                       .meters = text_open(arena),
                       .voids = text_open(arena),
                       .outcomes = text_open(arena) };
}

void seal_meta_add_meter(SealMeta *meta, const SealMeter *meter)
{
    const RecordMeter *record = &meter->meter;
    text_add_varint(&meta->meters, meter->sequence);
    text_add_varint(&meta->meters, record->project);
    text_add_varint(&meta->meters, record->event);
    text_add_varint(&meta->meters, record->number);
    text_add_char(&meta->meters, (char)((record->is_removal ? METER_REMOVED : 0) |
                                        (record->is_fresh ? METER_FRESH : 0)));
    text_add_counted(&meta->meters, record->definition);
}

bool seal_meta_read_meter(Reader *reader, SealMeter *meter)
{
    meter->sequence = reader_varint(reader);
    meter->meter.project = (uint32_t)reader_varint(reader);
    meter->meter.event = (uint32_t)reader_varint(reader);
    meter->meter.number = (uint32_t)reader_varint(reader);
    uint8_t flags = reader_u8(reader);
    meter->meter.is_removal = (flags & METER_REMOVED) != 0;
    meter->meter.is_fresh = (flags & METER_FRESH) != 0;
    meter->meter.definition = reader_counted(reader);
    return !reader->failed;
}

void seal_meta_write(const SealMeta *meta, Text *bytes)
{
    text_add_char(bytes, META_FORM);
    text_add_counted(bytes, text_str(&meta->names));
    text_add_counted(bytes, text_str(&meta->meters));
    text_add_counted(bytes, text_str(&meta->voids));
    text_add(bytes, text_str(&meta->outcomes));
}

bool seal_meta_split(Str bytes, SealMetaParts *parts)
{
    Reader  reader = reader_of(bytes);
    uint8_t form = reader_u8(&reader);
    if (form != META_FORM && form != META_WITHOUT_VOIDS)
        return false;
    parts->names = reader_of(reader_counted(&reader));
    parts->meters = reader_of(reader_counted(&reader));
    parts->voids = reader_of(form == META_FORM ? reader_counted(&reader) : STR_NONE);
    parts->outcomes = reader_bytes(&reader, reader_left(&reader));
    return !reader.failed;
}

bool seal_meta_append(SealMeta *meta, Str bytes)
{
    SealMetaParts parts;
    if (!seal_meta_split(bytes, &parts))
        return false;
    text_add_bytes(&meta->names, parts.names.at, reader_left(&parts.names));
    text_add_bytes(&meta->meters, parts.meters.at, reader_left(&parts.meters));
    text_add_bytes(&meta->voids, parts.voids.at, reader_left(&parts.voids));
    text_add(&meta->outcomes, parts.outcomes);
    return true;
}

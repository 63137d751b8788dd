// Every stored event of a project, or of one stream or account of it, handed out one by one: from
// memory, then from the sealed ranges, newest range first. For lists and for choosing; the inside
// of this folder.
#pragma once

#include "flow/aggregate/keys.h"
#include "flow/aggregate/moment.h"

typedef struct EventScan {
    const UsageMoment *moment;
    Arena             *arena;    // of errors
    uint32_t           project, event, account;  // NAME_NONE: all; filled by event_scan_names
    void              *context;
    // Is the block with this key looked at? Its stream and account are.
    bool (*wants)(void *context, const EventKey *key);
    // Borrowed until it returns; `place` is where the event lies. Events past the moment are not
    // handed out, retracted and replaced ones are.
    Err *(*take)(void *context, const UsageEvent *event, const VoidTarget *place);
} EventScan;

// account and event: STR_NONE is all. False: no event ever had one of the names.
bool event_scan_names(EventScan *scan, Str project, Str event, Str account);

Err *event_scan_run(const EventScan *scan) MUST_CHECK;

// One event by where it lies. NULL in *event when there is none.
Err *event_scan_place(const UsageMoment *moment, Arena *arena, const VoidTarget *place,
                      UsageEvent **event) MUST_CHECK;

// Where the newest event of the id lies that the moment holds; sequence 0: there is none.
Err *event_find_id(const UsageMoment *moment, Arena *arena, Hash128 id,
                   VoidTarget *place) MUST_CHECK;

// `toll ingest -f FILE [--url URL] [--key KEY] [--batch N] [--wait S] [--plain] [--json]`: sends
// usage from a file or stdin (`-`): NDJSON, or one JSON array. Prints how many events were
// accepted, duplicate, in conflict, rejected; the first refusals go to stderr. URL and key also
// come from TOLL_URL and TOLL_KEY. Exit: 0 every event is stored, 1 some were refused or the server
// was not reached, 2 wrong usage.
#pragma once

int cli_ingest(int argc, char **argv);

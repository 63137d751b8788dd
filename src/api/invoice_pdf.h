// An invoice's document as a PDF: A4 pages with Cairo and Pango, in whatever scripts its texts are
// written, with the fonts that the system has. The same document and fonts give the same bytes.
#pragma once

#include "base/json.h"

// `document`: of issued_document. STORE_FAILED: it cannot be drawn.
Err *invoice_pdf(Arena *arena, Str document, Text *pdf) MUST_CHECK;

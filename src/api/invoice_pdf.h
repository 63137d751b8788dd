// A document as a PDF: A4 pages with Cairo and Pango, in whatever scripts its texts are written,
// with the fonts that the system has. The same document and fonts give the same bytes.
#pragma once

#include "base/json.h"

// The number of an invoice that a line names by its id.
typedef struct PdfName {
    Str id, number;
} PdfName;

typedef struct InvoicePdf {
    const char *title;  // "Invoice"
    Str      document;  // of issued_document, or one with the members of it that there are to show
    PdfName *names;
    size_t   name_count;
} InvoicePdf;

// STORE_FAILED: it cannot be drawn.
Err *invoice_pdf(Arena *arena, const InvoicePdf *drawn, Text *pdf) MUST_CHECK;

// SPDX-License-Identifier: Apache-2.0
// Invoices and credit notes as PDFs. What they say never changes, so neither do the bytes; only a
// void invoice says that it is void.
#include "api/invoice_pdf.h"
#include "api/routes.h"
#include "api/server.h"
#include "flow/invoice/credit_note.h"

typedef struct Drawn {
    ProjectId  project;
    Str        id;
    InvoicePdf pdf;
} Drawn;

static bool is_named(const InvoicePdf *pdf, Str id)
{
    for (size_t i = 0; i < pdf->name_count; i++)
        if (str_equal(pdf->names[i].id, id))
            return true;
    return false;
}

// The numbers of the invoices that lines correct.
static Err *corrected_read(DbTx *tx, Drawn *drawn)
{
    InvoicePdf *pdf = &drawn->pdf;
    Json       *document;
    TRY(json_parse_stored(db_arena(tx), pdf->document, &document));
    const Json *lines = json_find(document, STR("lines"));
    pdf->names = arena_array(db_arena(tx), PdfName, lines == NULL ? 0 : lines->count);
    for (const Json *line = lines == NULL ? NULL : lines->first; line != NULL; line = line->next) {
        Str            id = json_text(json_find(line, STR("of")), "invoice");
        IssuedInvoice *of;
        if (id.at == NULL || is_named(pdf, id))
            continue;
        TRY(issued_get(tx, drawn->project, id, &of));
        pdf->names[pdf->name_count++] = (PdfName){ id, of->number };
    }
    return NULL;
}

static Err *invoice_work(DbTx *tx, void *context)
{
    Drawn         *drawn = context;
    IssuedInvoice *invoice;
    TRY(issued_get(tx, drawn->project, drawn->id, &invoice));
    drawn->pdf = (InvoicePdf){ .title = invoice->state == INVOICE_DRAFT  ? "Draft"
                                        : invoice->state == INVOICE_VOID ? "Void invoice"
                                                                         : "Invoice" };
    TRY(issued_document(tx, drawn->project, invoice, &drawn->pdf.document));
    return corrected_read(tx, drawn);
}

// ---- credit notes

static void value_copy(JsonOut *out, const Json *from, const char *name)
{
    const Json *value = json_find(from, str_of(name));
    json_name(out, str_of(name));
    if (value == NULL)
        json_null(out);
    else
        json_value(out, value);
}

static void credited_line(JsonOut *out, Arena *arena, const CreditNote *note,
                          const CreditNoteLine *credited, const Json *line)
{
    static const char *const kept[] = { "description", "group", "period", "timeZone" };
    json_object(out);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        value_copy(out, line, kept[i]);
    json_string_member(out, "amount",
                       money_print(arena, (Money){ credited->net, note->currency }));
    json_string_member(out, "tax", money_print(arena, (Money){ credited->tax, note->currency }));
    json_object_end(out);
}

static const Json *line_numbered(const Json *invoice, int64_t number)
{
    const Json *lines = json_find(invoice, STR("lines"));
    const Json *line = lines == NULL ? NULL : lines->first;
    for (int64_t i = 1; line != NULL && i < number; i++)
        line = line->next;
    return line;
}

// The note as a document: parties and lines are those of its invoice.
static Str note_document(Arena *arena, const CreditNote *note, const Json *invoice)
{
    static const char *const kept[] = { "seller", "buyer", "timeZone", "account", "currency" };
    Text                     text = text_open(arena);
    JsonOut                  out = json_out(&text);
    json_object(&out);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        value_copy(&out, invoice, kept[i]);
    json_string_member(&out, "number", note->number);
    json_string_member(&out, "of", json_text(invoice, "number"));
    json_string_member(&out, "issuedAt", instant_print(arena, note->created_at));
    json_string_member(&out, "reason", note->reason_code);
    if (note->memo.at != NULL)
        json_string_member(&out, "memo", note->memo);
    json_name(&out, STR("lines"));
    json_array(&out);
    for (size_t i = 0; i < note->count; i++) {
        const Json *line = line_numbered(invoice, note->lines[i].line);
        if (line != NULL)
            credited_line(&out, arena, note, &note->lines[i], line);
    }
    json_array_end(&out);
    json_string_member(&out, "subtotal", money_print(arena, (Money){ note->net, note->currency }));
    json_string_member(&out, "tax", money_print(arena, (Money){ note->tax, note->currency }));
    json_string_member(&out, "total", money_print(arena, (Money){ note->total, note->currency }));
    json_object_end(&out);
    return text_str(&text);
}

static Err *note_work(DbTx *tx, void *context)
{
    Drawn         *drawn = context;
    CreditNote     note;
    IssuedInvoice *invoice;
    Str            said;
    Json          *document;
    TRY(credit_note_get(tx, drawn->project, drawn->id, &note));
    TRY(issued_get(tx, drawn->project, note.invoice, &invoice));
    TRY(issued_document(tx, drawn->project, invoice, &said));
    TRY(json_parse_stored(db_arena(tx), said, &document));
    drawn->pdf = (InvoicePdf){ .title = "Credit note",
                               .document = note_document(db_arena(tx), &note, document) };
    return NULL;
}

// ---- routes

static Err *draw(Request *request, Response *response, DbWork work)
{
    Drawn drawn = { .project = project_of(request), .id = request_path(request, "id") };
    TRY(db_read(server_of(request)->books, request->arena, work, &drawn));
    response->media = "application/pdf";
    return invoice_pdf(request->arena, &drawn.pdf, &response->body);
}

static Err *invoice_draw(Request *request, Response *response)
{
    return draw(request, response, invoice_work);
}

static Err *note_draw(Request *request, Response *response)
{
    return draw(request, response, note_work);
}

const Route api_documents_routes[] = {
    { .name = "getInvoicePdf",
      .method = METHOD_GET,
      .path = "/v1/invoices/{id}/pdf",
      .scope = "invoices:read",
      .gives_media = "application/pdf",
      REFUSES(ERR_INVOICE_NOT_FOUND),
      .handler = invoice_draw,
      .doc = "The invoice's document as a PDF." },
    { .name = "getCreditNotePdf",
      .method = METHOD_GET,
      .path = "/v1/creditNotes/{id}/pdf",
      .scope = "invoices:read",
      .gives_media = "application/pdf",
      REFUSES(ERR_CREDIT_NOTE_NOT_FOUND),
      .handler = note_draw,
      .doc = "The credit note as a PDF." },
};
const size_t api_documents_route_count =
    sizeof api_documents_routes / sizeof *api_documents_routes;

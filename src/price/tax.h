// Taxes of an invoice: pure arithmetic over lines and rates. The exact tax of a line at a rate is
//   exclusive   net x p / 100
//   inclusive   gross x p / (100 + sum of the line's inclusive p); net = gross - those taxes
// A line with both: exclusive rates are of what is left of it without its inclusive taxes, exactly.
// Rounding half up, and what is rounded over several lines is split to them by largest remainder,
// ties to the earlier line, so that taxes of lines, of rates and of the invoice sum to one another.
//
// Worked: 10.00 at 12 % and 5 % -> 1.20 + 0.50. 119.00 with 19 % inclusive -> net 100.00, tax
// 19.00. Three lines of 0.33 at 10 %: by rate 0.10 (0.04 + 0.03 + 0.03), by line 0.03 each.
#pragma once

#include "base/error.h"
#include "money/money.h"

typedef enum TaxRounding {
    TAX_BY_RATE,       // the sum over all lines, rate by rate: the default
    TAX_BY_LINE,       // a line's sum over its rates
    TAX_BY_LINE_RATE,  // each rate of each line
    TAX_BY_INVOICE,    // one sum
    TAX_ROUNDING_COUNT
} TaxRounding;
extern const char *const tax_rounding_names[];  // "rate", …; ends with NULL
bool tax_rounding_find(Str name, TaxRounding *rounding);

typedef struct TaxRate {
    Str      id;
    Rational percent;  // 0..100
    bool     inclusive;
} TaxRate;

enum { TAX_RATES_OF_LINE_MAX = 10 };

typedef struct TaxLine {
    Money   amount;  // after discounts, and after credits that count before tax; any sign
    size_t  rates[TAX_RATES_OF_LINE_MAX];  // into the rates of the invoice, none twice
    size_t  rate_count;
    // filled:
    int64_t taxes[TAX_RATES_OF_LINE_MAX];  // minor units, of each of its rates
    int64_t net, tax;  // exclusive rates only: net = amount; inclusive ones are taken out of it
} TaxLine;

typedef struct TaxQuery {
    Currency       currency;
    TaxRounding    rounding;
    const TaxRate *rates;
    size_t         rate_count;
} TaxQuery;

typedef struct TaxSum {
    int64_t net;  // that the rate was taken of
    int64_t tax;
} TaxSum;

// Fills the lines, and `sums`: one for each rate. AMOUNT_TOO_LARGE.
Err *tax_of(Arena *arena, const TaxQuery *query, TaxLine *lines, size_t count,
            TaxSum *sums) MUST_CHECK;

// SPDX-License-Identifier: Apache-2.0
// One thread, one plan that is parsed once, an arena that is used again for each bill. What counts
// is the core's own time for price_bill, then for price_bill with the bill written as JSON; usage
// is made and results are compared outside of the clock.
#include "cli/bench_rate.h"

#include "base/clock.h"
#include "base/int128.h"
#include "base/random.h"
#include "price/price.h"

static const char plan_document[] =
    "{\"currency\":\"USD\",\"charges\":["
    "{\"id\":\"api\",\"meter\":\"api\",\"model\":\"graduated\",\"tiers\":["
    "{\"upTo\":\"1000000\",\"unitPrice\":\"0.0009\"},"
    "{\"upTo\":\"50000000\",\"unitPrice\":\"0.0006\"},{\"unitPrice\":\"0.0004\"}]},"
    "{\"id\":\"gpu\",\"meter\":\"gpu\",\"model\":\"graduated\",\"tiers\":["
    "{\"upTo\":\"100000\",\"unitPrice\":\"0.0021\",\"flatFee\":\"25\"},{\"unitPrice\":\"0.0017\"}]}"
    ","
    "{\"id\":\"storage\",\"meter\":\"storage\",\"model\":\"volume\",\"tiers\":["
    "{\"upTo\":\"1000000\",\"unitPrice\":\"0.00009\"},{\"unitPrice\":\"0.00007\"}]},"
    "{\"id\":\"egress\",\"meter\":\"egress\",\"model\":\"graduated\",\"tiers\":["
    "{\"upTo\":\"100\",\"unitPrice\":\"0\"},{\"unitPrice\":\"0.085\"}]}],"
    "\"commitment\":{\"amount\":\"10000.00\",\"discountPercent\":\"18\",\"overageFactor\":\"1.5\"}"
    "}";

enum { CHARGES = 4, GROUP = 256, PLACES = 100000 /* of a dollar: the finest price has 5 */ };

static const int64_t usage_most[CHARGES] = { 60000000, 1500000, 4000000, 60000 };

// ---- the same plan in whole numbers

typedef struct Expected {
    int64_t lines[CHARGES]; // cents
    int64_t total;
} Expected;

static int64_t half_up(Int128 above, Int128 below)
{
    return (int64_t)((2 * above + below) / (2 * below));
}

static int64_t tiers(int64_t quantity, const int64_t *bounds, const int64_t *prices)
{
    int64_t sum = 0, below = 0;
    for (; quantity > below; bounds++, prices++) {
        int64_t top = quantity < *bounds ? quantity : *bounds;
        sum += (top - below) * *prices;
        below = top;
    }
    return sum;
}

static Expected expected_of(const int64_t *quantities)
{
    static const int64_t api_bounds[] = { 1000000, 50000000, INT64_MAX }, api[] = { 90, 60, 40 };
    static const int64_t gpu_bounds[] = { 100000, INT64_MAX }, gpu[] = { 210, 170 };
    static const int64_t egress_bounds[] = { 100, INT64_MAX }, egress[] = { 0, 8500 };
    int64_t              sums[CHARGES] = {
                     tiers(quantities[0], api_bounds, api),
                     tiers(quantities[1], gpu_bounds, gpu) + (quantities[1] > 0 ? 25 * PLACES : 0),
                     quantities[2] * (quantities[2] <= 1000000 ? 9 : 7),
                     tiers(quantities[3], egress_bounds, egress),
    };
    Expected expected = { 0 };
    int64_t  list = 0;
    for (size_t i = 0; i < CHARGES; i++)
        list += expected.lines[i] = half_up(sums[i], PLACES / 100);
    // 10,000.00 at 18 % cover 1,000,000 / 0.82 cents of list; half of what is beyond is on top
    Int128 beyond = (Int128)82 * list - (Int128)100 * 1000000; // cents x 82
    if (beyond > 0) {
        expected.total = list - half_up((Int128)18 * 1000000, 82) + half_up(beyond, 2 * 82);
        return expected;
    }
    expected.total = list - half_up((Int128)18 * list, 100);
    if (expected.total < 1000000)
        expected.total = 1000000;
    return expected;
}

// ---- the bills

// One bill's usage, and what it came to.
typedef struct Sample {
    int64_t quantities[CHARGES];
    int64_t lines[CHARGES]; // cents
    int64_t total;
} Sample;

typedef struct Running {
    Arena      *bills; // used again for each
    const Plan *plan;
    PriceInputs inputs;
    GroupUsage  groups[CHARGES];
    Sample      samples[GROUP];
    int64_t     priced_us, written_us; // of the core
    Text        text;
    size_t      bytes;
} Running;

static void samples_draw(Running *running, size_t count, Seeded *seeded)
{
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < CHARGES; i++) {
            // small accounts are as many as large ones: the bound is halved up to 15 times
            uint64_t most = (uint64_t)usage_most[i] >> seeded_below(seeded, 16);
            running->samples[k].quantities[i] = (int64_t)seeded_below(seeded, most + 1);
        }
}

static Err *sample_price(Running *running, const Sample *sample, Bill *bill)
{
    arena_reset(running->bills);
    for (size_t i = 0; i < CHARGES; i++)
        running->groups[i].usage = rational_whole(running->bills, sample->quantities[i]);
    return price_bill(running->bills, running->plan, &running->inputs, bill);
}

static Err *samples_price(Running *running, size_t count)
{
    int64_t began = clock_cpu_us();
    for (size_t k = 0; k < count; k++) {
        Bill    bill;
        Sample *sample = &running->samples[k];
        TRY(sample_price(running, sample, &bill));
        for (size_t i = 0; i < CHARGES; i++)
            sample->lines[i] = bill.count < CHARGES ? -1 : bill.lines[i].amount.minor;
        sample->total = bill.total.minor;
    }
    running->priced_us += clock_cpu_us() - began;
    return NULL;
}

static Err *samples_write(Running *running, size_t count)
{
    BillFrame frame = { 0 };
    int64_t   began = clock_cpu_us();
    for (size_t k = 0; k < count; k++) {
        Bill bill;
        TRY(sample_price(running, &running->samples[k], &bill));
        text_clear(&running->text);
        JsonOut json = json_out(&running->text);
        bill_to_json(&bill, &frame, running->bills, &json);
        running->bytes += running->text.length;
    }
    running->written_us += clock_cpu_us() - began;
    return NULL;
}

static Err *samples_check(Arena *arena, const Running *running, size_t count, uint64_t first)
{
    for (size_t k = 0; k < count; k++) {
        const Sample *sample = &running->samples[k];
        Expected      expected = expected_of(sample->quantities);
        bool          equal = sample->total == expected.total;
        for (size_t i = 0; i < CHARGES; i++)
            equal &= sample->lines[i] == expected.lines[i];
        if (!equal)
            return refuse(arena, ERR_STORE_FAILED, STR_NONE,
                          "bill %llu of the seed differs from the oracle's",
                          (unsigned long long)(first + k));
    }
    return NULL;
}

static Err *plan_read(Arena *arena, Running *running)
{
    static const ChargeUsage none[CHARGES] = { 0 };
    Plan                    *plan;
    Span june = { { 1780272000 * INSTANT_SECOND_US }, { 1782864000 * INSTANT_SECOND_US } };
    TRY(plan_from_text(arena, str_of(plan_document), &plan));
    running->plan = plan;
    running->inputs = (PriceInputs){
        .service = june, .full = june, .at = june.end, .start = june.start, .zone = zone_utc()
    };
    ChargeParts *parts = price_parts_whole(arena, plan, none, june, june);
    for (size_t i = 0; i < CHARGES; i++)
        parts[i].at[0].usage = (ChargeUsage){ &running->groups[i], 1 };
    running->inputs.parts = parts;
    return NULL;
}

static Err *bills_price(Arena *arena, Running *running, const RateBench *bench)
{
    Seeded seeded = seeded_of(bench->seed);
    for (uint64_t done = 0; done < bench->bills;) {
        uint64_t left = bench->bills - done;
        size_t   count = left < GROUP ? (size_t)left : GROUP;
        samples_draw(running, count, &seeded);
        TRY(samples_price(running, count));
        TRY(samples_check(arena, running, count, done));
        TRY(samples_write(running, count));
        done += count;
    }
    return NULL;
}

static void figures_fill(const Running *running, const RateBench *bench, Figures *figures)
{
    int64_t bills = (int64_t)bench->bills;
    figures_add(figures, (Figure){ "rate", "bills", "bills priced, each compared", "", bills, 0 });
    figures_add(figures, (Figure){ "rate", "billsPerSecond", "priced by one core", "bills/s",
                                   figure_ratio(bills * 1000000, running->priced_us, 0), 0 });
    figures_add(figures, (Figure){ "rate", "nanosecondsPerBill", "for one bill of 4 lines", "ns",
                                   figure_ratio(running->priced_us * 1000, bills, 0), 0 });
    figures_add(figures,
                (Figure){ "rate", "writtenPerSecond", "priced and written as JSON with its steps",
                          "bills/s", figure_ratio(bills * 1000000, running->written_us, 0), 0 });
    figures_add(figures, (Figure){ "rate", "bytesPerBill", "of JSON", "bytes",
                                   figure_ratio((int64_t)running->bytes, bills, 0), 0 });
}

Err *bench_rate_run(Arena *arena, const RateBench *bench, Figures *figures)
{
    Running *running = arena_new(arena, Running);
    running->bills = arena_open();
    running->text = text_open_own();
    Err *err = plan_read(arena, running);
    if (err == NULL)
        err = bills_price(arena, running, bench);
    if (err == NULL)
        figures_fill(running, bench, figures);
    else  // it may lie in the bills' arena
        err = refuse(arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    arena_close(running->bills);
    text_close(&running->text);
    return err;
}

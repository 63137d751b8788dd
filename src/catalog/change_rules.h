// Which changes a subscription's log takes, by themselves: before all that follows from them is
// looked at. Nobody outside includes this.
#pragma once

#include "catalog/catalog_inside.h"
#include "catalog/terms.h"

// Completes what was asked for (the plan's version, overrides that end with their plan) and refuses
// as catalog_subscription_change says.
Err *change_rules(DbTx *tx, const CatalogChange *change, const SubscriptionHistory *before,
                  SubscriptionChange *entry) MUST_CHECK;

// Whether a request repeats the one that made an entry.
bool change_asks_same(const SubscriptionChange *wanted, const SubscriptionChange *stored);

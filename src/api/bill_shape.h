// The shapes of bills, for the routes that answer them.
#pragma once

#include "http/shape.h"

extern const Shape bill_rated_shape;    // of POST /v1/rate: no subscription, no events
extern const Shape bill_open_shape;     // of a subscription
extern const Shape bill_account_shape;  // of an account: all its bills

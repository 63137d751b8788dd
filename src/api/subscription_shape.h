// The shapes of a subscription as it is answered, for the routes that change one.
#pragma once

#include "http/shape.h"

extern const Shape subscription_shape;
extern const Shape subscription_now_shape;     // without its terms in time and its log
extern const Shape subscription_change_shape;  // an entry of its log
extern const Shape plan_patch_shape;           // overrides

// The shape of an operation, for the routes that answer one.
#pragma once

#include "http/shape.h"

extern const Shape operation_shape;

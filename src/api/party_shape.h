// The shape of an address, of buyers and sellers.
#pragma once

#include "http/shape.h"

extern const Shape party_address_shape;

// SPDX-License-Identifier: Apache-2.0
#include "api/party_shape.h"

static const Field address_fields[] = {
    MEMBER("line1", TEXT, .most = 255, .doc = "Street and number."),
    MEMBER("line2", TEXT, .most = 255, .doc = "What does not fit there."),
    MEMBER("city", TEXT, .most = 255, .doc = "City."),
    MEMBER("region", TEXT, .most = 255, .doc = "State or province."),
    MEMBER("postalCode", TEXT, .most = 255, .doc = "Postal code."),
    MEMBER("country", TEXT, .most = 255, .doc = "Country."),
};
const Shape party_address_shape =
    SHAPE("Address", address_fields, .doc = "Where a buyer or seller is.");

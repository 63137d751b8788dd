// The handlers behind the routes of measurements.c. Inside of api/ only.
#pragma once

#include "api/server.h"

// measurements_take.c
Err *measurements_post(Request *request, Response *response);
Err *ingest_usage(Request *request, Response *response);
Err *ingest_usage_batch(Request *request, Response *response);

// measurements_read.c
Err *measurements_list(Request *request, Response *response);
Err *measurements_get(Request *request, Response *response);
Err *measurements_outcomes(Request *request, Response *response);
Err *measurements_rejections(Request *request, Response *response);

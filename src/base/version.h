// The version of this program, as `toll --version`, the OpenAPI document and the changelog say it.
#pragma once

#define TOLL_VERSION "0.1.0"

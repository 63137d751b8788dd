// SPDX-License-Identifier: Apache-2.0
// Gives files to a fuzz target once each, where libFuzzer is not linked in: so every compiler and
// sanitizer replays the kept corpora. The bytes are in a block of exactly their length, so that a
// read past the end is seen.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        return 1;
    long length = ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(length > 0 ? (size_t)length : 1);
    int failed = bytes == NULL || length < 0 ||
                 fread(bytes, 1, (size_t)length, file) != (size_t)length;
    fclose(file);
    if (failed == 0)
        LLVMFuzzerTestOneInput(bytes, (size_t)length);
    free(bytes);
    return failed;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (replay(argv[i]) != 0) {
            fprintf(stderr, "%s cannot be read\n", argv[i]);
            return 1;
        }
    return 0;
}

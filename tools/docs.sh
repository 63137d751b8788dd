#!/bin/sh
# The stored reference is what the binary prints.
#   tools/docs.sh write TOLL    prints it into docs/
#   tools/docs.sh check TOLL    fails when the stored text is another
set -eu
mode=$1 toll=$2
passed=0 failed=0

# As it is stored: JSON with a line for each member, so that a diff can be read.
printed() {
    case $1 in
        openapi) "$toll" print openapi | "${PYTHON:-/usr/bin/python3}" -m json.tool --indent 1 ;;
        *) "$toll" print "$1" ;;
    esac
}

page() {  # what to print, where it is stored
    if [ "$mode" = write ]; then
        mkdir -p "$(dirname "$2")"
        printed "$1" >"$2.new"
        mv "$2.new" "$2"
    elif printed "$1" | diff -u --label "$2" --label "toll print $1" "$2" -; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
}

page openapi docs/openapi.json
for list in config errors metrics scopes steps postings; do
    page $list docs/reference/$list.md
done
if [ "$mode" = check ]; then
    [ $failed = 0 ] || echo "the stored reference has drifted: run \`make docs\` and read the diff"
    echo "$passed passed, $failed failed"
    [ $failed = 0 ]
fi

#!/bin/sh
# Copies the two libraries of the web page out of their Debian packages into web/, where they are served from:
#   libjs-katex (with fonts-katex)  ->  web/katex/     typesets the formulas
#   node-marked                     ->  web/marked.js  splits Markdown into tokens
# Idempotent. The copies are build products and are not committed.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
katex=${KATEX_DIR:-/usr/share/javascript/katex}
marked=${MARKED_FILE:-/usr/share/nodejs/marked/lib/marked.esm.js}

for needed in "$katex/katex.min.js" "$katex/katex.min.css" "$katex/fonts" "$marked"; do
    if [ ! -e "$needed" ]; then
        echo "copy-katex: $needed is missing; install the Debian packages libjs-katex, fonts-katex and node-marked" >&2
        exit 1
    fi
done

fresh="$root/web/.katex.$$"
trap 'rm -rf "$fresh"' EXIT
mkdir -p "$fresh/fonts"
cp -L "$katex/katex.min.js" "$katex/katex.min.css" "$fresh/"
# Every browser that runs the page reads woff2; the older formats the style sheet also names are never asked for.
cp -L "$katex"/fonts/*.woff2 "$fresh/fonts/"
chmod -R u=rwX,go=rX "$fresh"

rm -rf "$root/web/katex"
mv "$fresh" "$root/web/katex"
cp -L "$marked" "$root/web/marked.js.$$"
chmod 644 "$root/web/marked.js.$$"
mv "$root/web/marked.js.$$" "$root/web/marked.js"

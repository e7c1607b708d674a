#!/bin/sh
# Makes the site in build/site, and of it the one file that GitHub Pages takes: the recorded run, and the list of runs.
set -eu
cd "$(dirname "$0")/.."
if [ ! -f reports/sample/report.html ]; then
  echo "error: there is no recorded run in reports/sample" >&2
  echo "  next: record one, look at its report, and commit its folder as reports/sample" >&2
  exit 4
fi
make .venv/.installed
.venv/bin/rollbook verify reports/sample
rm -rf build/site
mkdir -p build/site
cp -R reports/sample build/site/sample
.venv/bin/rollbook index build/site
chmod -R a+rX build/site
tar --dereference --hard-dereference --directory build/site -cf build/artifact.tar .

#!/bin/bash
# Join the labels of all objects. PARTS (a folder) and LABELS come from the environment.
set -euo pipefail
napari-sam-decoder join "$PARTS"/objects-*.zarr -o "$LABELS" --replace --quiet

#!/bin/bash
# Follow some of the objects of a movie. Labels appear whole or not at all, so those
# that are there are done.
#   segment_objects.sh TASK    TASK counts from 0; by default that of the array of SLURM
# MOVIE, CACHE, POINTS, OBJECTS (the highest object id), OBJECTS_PER_TASK and PARTS (a
# folder) come from the environment.
set -euo pipefail
task=${1:-${SLURM_ARRAY_TASK_ID:?}}
first=$((task * OBJECTS_PER_TASK + 1))
stop=$((first + OBJECTS_PER_TASK))
if ((stop > OBJECTS + 1)); then stop=$((OBJECTS + 1)); fi
mkdir -p "$PARTS"
part=$PARTS/objects-$first.zarr
if [[ -e $part ]]; then exit; fi
napari-sam-decoder segment "$MOVIE" --points "$POINTS" --objects "$first:$stop" \
    --cache "$CACHE" -o "$part" --quiet

#!/bin/bash
# Embed one part of the frames of a movie. Frames that are in the cache are kept.
#   embed_part.sh TASK    TASK counts from 0; by default that of the array of SLURM
# MOVIE, CACHE, FRAMES (how many there are) and FRAMES_PER_TASK come from the environment.
set -euo pipefail
task=${1:-${SLURM_ARRAY_TASK_ID:?}}
first=$((task * FRAMES_PER_TASK))
stop=$((first + FRAMES_PER_TASK))
if ((stop > FRAMES)); then stop=$FRAMES; fi
napari-sam-decoder embed "$MOVIE" --frames "$first:$stop" --cache "$CACHE" --quiet

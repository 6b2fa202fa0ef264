#!/bin/bash
# Segment a movie with SLURM: embed parts of its frames, then follow its objects, then
# join the labels. Submit it again to do what is missing.
#   MOVIE=movie.tif POINTS=points.csv FRAMES=10000 OBJECTS=40 submit_slurm.sh
set -euo pipefail
export MOVIE POINTS FRAMES OBJECTS
export FRAMES_PER_TASK=${FRAMES_PER_TASK:-500} OBJECTS_PER_TASK=${OBJECTS_PER_TASK:-10}
export CACHE=${CACHE:-embeddings.zarr} PARTS=${PARTS:-parts} LABELS=${LABELS:-labels.zarr}
here=$(cd "$(dirname "$0")" && pwd)
parts=$(((FRAMES + FRAMES_PER_TASK - 1) / FRAMES_PER_TASK))
groups=$(((OBJECTS + OBJECTS_PER_TASK - 1) / OBJECTS_PER_TASK))

# Options of your cluster, such as a partition or a GPU, go here.
submit() { sbatch --parsable --cpus-per-task=4 --mem=8G --time=4:00:00 "$@"; }

embedded=$(submit --array="0-$((parts - 1))" "$here/embed_part.sh")
segmented=$(submit --array="0-$((groups - 1))" --dependency="afterok:$embedded" \
    "$here/segment_objects.sh")
submit --dependency="afterok:$segmented" "$here/join_parts.sh"

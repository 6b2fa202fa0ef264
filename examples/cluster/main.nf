// Segment a movie with Nextflow, with the same scripts as for SLURM. Not run so far.
//   nextflow run main.nf --movie movie.tif --points points.csv --frames 10000 --objects 40
// Add -resume to do what is missing. Paths are those that all machines know.
params.frames_per_task = 500
params.objects_per_task = 10
params.cache = "${launchDir}/embeddings.zarr"
params.parts = "${launchDir}/parts"
params.labels = "${launchDir}/labels.zarr"

// What the scripts read from their environment.
def settings() {
    """\
    export MOVIE='${file(params.movie)}' POINTS='${file(params.points)}'
    export FRAMES=${params.frames} FRAMES_PER_TASK=${params.frames_per_task}
    export OBJECTS=${params.objects} OBJECTS_PER_TASK=${params.objects_per_task}
    export CACHE='${file(params.cache)}' PARTS='${file(params.parts)}'
    export LABELS='${file(params.labels)}'
    """.stripIndent()
}

def numbers(count, per_task) {
    (0..<Math.ceil(count / per_task).intValue()).toList()
}

process embed_part {
    cpus 4
    memory '8 GB'
    errorStrategy 'retry'
    maxRetries 3

    input: val task_number
    output: val task_number

    script:
    """
    ${settings()}
    ${projectDir}/embed_part.sh ${task_number}
    """
}

process segment_objects {
    cpus 4
    memory '8 GB'
    errorStrategy 'retry'
    maxRetries 3

    input:
    val task_number
    val embedded

    output: val task_number

    script:
    """
    ${settings()}
    ${projectDir}/segment_objects.sh ${task_number}
    """
}

process join_parts {
    input: val segmented

    script:
    """
    ${settings()}
    ${projectDir}/join_parts.sh
    """
}

workflow {
    parts = numbers(params.frames as int, params.frames_per_task as int)
    groups = numbers(params.objects as int, params.objects_per_task as int)
    embed_part(channel.fromList(parts))
    segment_objects(channel.fromList(groups), embed_part.out.collect())
    join_parts(segment_objects.out.collect())
}

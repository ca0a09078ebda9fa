"""Properties of ``lsst.pipe.base``, ``lsst.ctrl.mpexec`` and ``lsst.ctrl.bps``.

======================  ==============================================================================================
module                  what it has
======================  ==============================================================================================
`tasks`                 tiny tasks that note when they are executed and do what they are ordered to: fail, have no
                        work, write a part, kill their process
`model`                 which quanta there must be, what each reads, and what must come of an execution: plain joins
                        of the world's records, no middleware
`bench`                 a repository with raws of two instruments, a pipeline of the tasks, and the commands
                        ``pipetask`` and ``butler`` in this process
`building`,             the properties
`objects`, `graphs`,
`hooks`, `running`,
`qbb`, `universes`,
`bps`
======================  ==============================================================================================
"""

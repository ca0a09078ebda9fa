"""Why a quantum graph is empty: the missing stage or the constraint, by name.

`~harness.explain.question.Question` is what was asked for; `~harness.explain.core.cores` finds the smallest sets of
constraints that nothing satisfies together; `~harness.explain.words` says what they mean and what to do;
`~harness.explain.prerequisites` and `~harness.explain.build` look at what happens after the query: calibrations that
are not valid at the time, outputs that are there already, tasks that find no work.
"""

"""The audit of any repository: whether it is sound, told without a manifest and without writing to it.

Reading order: `source` finds registry and datastores and says in one line what is in the way; `selection` has what is
asked for and which checks apply; `running` is the audit; `soundness` has the checks of the repository as a whole;
`identity` gives each finding an id that is stable between runs; `baseline` silences what somebody has accepted;
`folding` makes one finding of a million; `plan` writes remedies down.
"""

"""A repository beside a simple model of it: the same steps are done to both, and both must say the same.

`~harness.stateful.model.Model` is the model, pure and in memory; `~harness.stateful.steps` are the operations, each of
which says what it does to the model and to the repository, and which error must come; `~harness.stateful.world.World`
does them to a real repository and compares; `~harness.stateful.machine` lets hypothesis choose the steps;
`~harness.stateful.script` writes them down, so that they can be done again.
"""

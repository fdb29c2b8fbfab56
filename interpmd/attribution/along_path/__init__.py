"""The chemist's own languages along a path: one table of rows, read in three ways.

* `table`: the energy of each row along the path, `explain_path`
* `over_time.reg`: the relative energy gradient of the same rows
* `reaction_force`: the force along the path, its regions and works
* `strain`: activation strain, or distortion and interaction, of fragments
"""

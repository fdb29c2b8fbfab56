"""What is measured along a trajectory, by well-kept libraries where they have it, with error bars.

* `radial`: radial distribution functions (freud)
* `hydrogen_bonds`: hydrogen bonds in time, and how long they live (MDAnalysis)
* `spectrum`: power spectra of velocities or coordinates (scipy)
* `free_energy`, `free_energy_map`: free energies of one coordinate and of two
* `histograms`: free energies from weighted counts of one run, or of several that were biased
* `slow`: the slow coordinates of a trajectory (deeptime)
"""

"""Shooting from the top: trajectories that cross a barrier, without waiting for them.

* `shots`: one shot, both ways in time from a structure near the top
* `shoot`: many of them, seeded, on several cores, kept in a file that goes on where it ended
* `committor`: where shots from chosen frames end
* `tops`: structures on the dividing surface, to shoot from
"""

"""Every atom of a drawn molecule can be told by its label."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms

from interpmd.plots.molecule import draw_molecule

SIDE_ON = np.eye(3)


def labels(atoms, **drawn):
    ax = draw_molecule(atoms, ax=plt.figure(figsize=(4, 4)).add_subplot(), plane=SIDE_ON, **drawn)
    plt.close(ax.figure)
    return ax, {text.get_text(): text for text in ax.texts if text.get_text()}


def test_an_atom_behind_another_is_named_beside_it():
    """Two hydrogen atoms one behind the other, the later one nearer to the reader."""
    atoms = Atoms("CHHO", [[0, 0, 0], [0.6, -0.9, -0.9], [0.6, -0.9, 0.9], [1.2, 0.7, 0]])
    ax, found = labels(atoms)
    middle = atoms.positions.mean(0)[:2]
    assert np.allclose(found["H2"].get_position(), atoms.positions[2, :2] - middle)
    places = np.array([found[name].get_position() for name in ("C0", "H1", "H2", "O3")])
    apart = np.linalg.norm(places[:, None] - places, axis=2)[~np.eye(4, dtype=bool)]
    assert apart.min() > 0.35
    assert np.linalg.norm(places[1] - places[2]) < 0.5  # still beside its atom
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in found.values()]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_labels_stand_above_arrows():
    ax, found = labels(Atoms("OH", [[0, 0, 0], [1, 0, 0]]), forces=np.array([[3.0, 0, 0]] * 2))
    arrows = [text for text in ax.texts if not text.get_text()]
    assert len(arrows) == 2
    assert all(text.get_zorder() > a.get_zorder() for text in found.values() for a in arrows)

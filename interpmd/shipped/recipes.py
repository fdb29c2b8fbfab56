"""How each shipped potential is fitted, and what its card tells: what `make` asks for."""

from __future__ import annotations

from interpmd.attribution import Energy

#: What differs from the defaults of `interpmd.fit`.
RECIPES = {
    "malonaldehyde": {
        "spec": {"channels": (64, 64, 48, 52), "terms": {"repulsion": {}}},
        "energy_weight": 20.0,
        # fragments are radicals, electronvolts from the molecule: at full weight they drown it,
        # and the validation error, which is mostly that of the fragments, cannot choose the ridge;
        # of parts of hot frames there are nearly as many as of whole ones, which matter more
        "subset_weights": {
            "dimer": 0.025,
            "trimer": 0.025,
            **dict.fromkeys(("md300", "md500", "md800", "modes", "stretched", "transfer"), 2.5),
        },
        "ridge": 1e-6,
    },
    "water": {
        "spec": {
            "channels": (192, 256, 256, 32),
            "cutoff": 6.0,
            "lmax": (0, 4, 3, 2),
            "basis": 12,
            "functions": 48,
            "gain": 1.0,
            "stretch": 0.0,
            "decay": 0.0,
            "parsimony": 5.0,
            "terms": {"repulsion": {}},
        },
        "energy_weight": 40.0,
        # radicals, electronvolts from the molecules: enough for rows of atoms
        "subset_weights": {"radical": 0.01},
    },
    # parts closed with hydrogen are molecules like any other: they have full weight; four elements
    # and 22 formulas want many weights (two minutes on an H100, hours on two cores), and the order
    # that has most of them for the time of a call is the fifth
    "alanine_dipeptide": {
        "spec": {
            "channels": (136, 136, 136, 136),
            "lmax": (0, 4, 4, 4),
            "basis": 6,
            "stretch": 1.5,
            "weights": 40_000,
            "terms": {"repulsion": {}},
        },
        "energy_weight": 40.0,
        "memory": 14.0,
    },
    # boxes of 52 neighbours an atom: a short cutoff, and few channels of high orders, for speed
    "water_liquid": {
        "spec": {
            "channels": (96, 128, 96),
            "lmax": (0, 4, 3),
            "basis": 8,
            "gain": 1.0,
            "stretch": 0.0,
            "decay": 0.0,
            "terms": {
                "repulsion": {},
                "long_range": {"charges": {"O": -0.8, "H": 0.4}, "smearing": 1.8},
            },
        },
        "energy_weight": 40.0,
        "outliers": "leave out",
    },
    "copper": {
        "spec": {
            "channels": (32, 48, 32),
            "lmax": (0, 4, 3),
            "basis": 8,
            "gain": 1.0,
            "stretch": 0.0,
            "decay": 0.0,
            "terms": {"repulsion": {}},
        },
        "energy_weight": 40.0,
    },
}

#: Test frames of at most so many atoms are certified, where rows of the largest ones are too many.
CERTIFIED = {"water_liquid": 18}

#: Many elements and molecules: pairs have a channel for every radial function of every element. The
#: cutoff is short and the order low, so that surroundings in larger molecules are those that were
#: seen in small ones. Frames far from minima are there to close holes, not to be fitted well.
RECIPES["small_molecules"] = {
    "spec": {
        "cutoff": 3.8,
        "channels": (256, 140, 120),
        "lmax": (0, 4, 4),
        "weights": 20_000,
        "terms": {"repulsion": {}},
    },
    "energy_weight": 60.0,
    "subset_weights": {"strained": 0.2, "folded": 0.3, "pair": 0.5, "path": 0.4},
    "memory": 14.0,
}

#: The same molecules as a correction of GFN-FF. Its zero of energy is each molecule's own, and what
#: it says of hot geometries is off by more than a torsion is worth: energies are learned from
#: conformers, scans and where the correction itself leads, forces from all, and those that a
#: relaxation follows count most. The cutoff is that of bonded neighbours: what touches is the force
#: field's, and a correction that reaches there makes minima of its own.
RECIPES["small_molecules_gfnff"] = {
    "baseline": "gfn-ff",
    "spec": {
        "cutoff": 3.0,
        "channels": (256, 140, 120),
        "lmax": (0, 4, 4),
        "weights": 3_440,
        "samples": 24,
        "terms": {},
    },
    "energy_weight": 500.0,
    "mean_weight": 19.0,
    "soft_weight": 2.0,
    "subset_weights": {"strained": 0.2, "path": 0.7},
    "ridge": 0.004,
    "memory": 5.0,
}

#: Whose data a potential is fitted to, where they are not its own.
DATA_OF = {"small_molecules_gfnff": "small_molecules"}

#: Subsets whose energies are not learned, and largest force in eV/Å by which a frame may differ
#: from the baseline: beyond it bonds break, which a force field does not know.
FORCES_ONLY = {
    "small_molecules_gfnff": ("vibration", "torsion", "strained", "folded", "pair", "path")
}
LARGEST_CORRECTION = {"small_molecules_gfnff": 4.0}

#: Of these files every second frame is taken, say.
THINNED = {"small_molecules_gfnff": {"strained.extxyz.gz": 2, "path.extxyz.gz": 2}}

#: The potential of many molecules, and subsets of its data in which bonds may be broken.
NAME_OF_GENERAL = "small_molecules"
STRAINED = ("strained", "folded", "pair", "path")

#: Training data beside `train.extxyz.gz`: dimers and trimers (fragments), and groups closed with
#: hydrogen, which are the parts of gauge "groups".
MORE = {
    "malonaldehyde": ("fragments.extxyz.gz", "groups.extxyz.gz"),
    "water": ("fragments.extxyz.gz", "radicals.extxyz.gz"),
    "alanine_dipeptide": ("groups.extxyz.gz",),
    "small_molecules": ("wider.extxyz.gz", "strained.extxyz.gz", "path.extxyz.gz"),
    "small_molecules_gfnff": (
        "wider.extxyz.gz",
        "close.extxyz.gz",
        "led.extxyz.gz",
        "strained.extxyz.gz",
        "path.extxyz.gz",
    ),
}

#: Gauges in which the rows of two fits are compared, with what is explained (forces on all atoms
#: if None), and atoms of the test frames that are compared.
GAUGES_OF = {
    "malonaldehyde": {"internal": None, "groups": Energy()},
    "water": {"molecules": None, "internal": None},
    "alanine_dipeptide": {"internal": None, "groups": Energy()},
}
REPRODUCED_ON = {"malonaldehyde": 9, "water": 9, "alanine_dipeptide": 22}

#: Labelled pairs and triplets of atoms of test frames, which size and judge bars of rows of atoms.
RADICALS = "radicals_test.extxyz.gz"

#: What the card says of error bars that were calibrated on test frames.
CALIBRATED = "every other test frame"

#: What makes the form of an expansion, whatever the elements and the cutoff.
EXPANSION = ("channels", "lmax", "basis", "functions", "gain", "stretch", "decay", "parsimony")

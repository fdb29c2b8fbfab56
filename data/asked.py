"""Molecules of seven to nine heavy atoms that the potential of small molecules is asked for."""

from __future__ import annotations

#: SMILES by name. Their fragments are in the training data, they are not: those end at six heavy
#: atoms.
ASKED = {
    # hydrocarbons
    "heptane": "CCCCCCC",
    "2-methylhexane": "CCCCC(C)C",
    "2,2-dimethylpentane": "CCCC(C)(C)C",
    "1-octene": "CCCCCCC=C",
    "2-methyl-2-heptene": "CCCCC=C(C)C",
    "3-octyne": "CCCCC#CCC",
    # alcohols and ethers
    "1-heptanol": "CCCCCCCO",
    "2-octanol": "CCCCCCC(C)O",
    "2,4-pentanediol": "CC(O)CC(C)O",
    "pinacol": "CC(C)(O)C(C)(C)O",
    "1,6-hexanediol": "OCCCCCCO",
    "dipropyl ether": "CCCOCCC",
    "2-butoxyethanol": "CCCCOCCO",
    "diglyme": "COCCOCCOC",
    "linalool head": "CC(O)(C=C)CCC",
    # carbonyl compounds
    "heptanal": "CCCCCCC=O",
    "4-heptanone": "CCCC(=O)CCC",
    "acetylacetone, keto form": "CC(=O)CC(C)=O",
    "diacetone alcohol": "CC(=O)CC(C)(C)O",
    "6-methyl-5-hepten-2-one": "CC(=O)CCC=C(C)C",
    "mesityl oxide": "CC(=O)C=C(C)C",
    # acids and esters
    "hexanoic acid": "CCCCCC(=O)O",
    "levulinic acid": "CC(=O)CCC(=O)O",
    "malic acid": "OC(CC(=O)O)C(=O)O",
    "butyl acetate": "CCCCOC(C)=O",
    "isopropyl propanoate": "CCC(=O)OC(C)C",
    "ethyl lactate": "CCOC(=O)C(C)O",
    "methyl methacrylate": "COC(=O)C(C)=C",
    "ethyl acetoacetate": "CCOC(=O)CC(C)=O",
    # amines and nitriles
    "triethylamine": "CCN(CC)CC",
    "diisopropylamine": "CC(C)NC(C)C",
    "1,6-hexanediamine": "NCCCCCCN",
    "diethanolamine": "OCCNCCO",
    "2-(diethylamino)ethanol": "CCN(CC)CCO",
    "adiponitrile": "N#CCCCCC#N",
    # amides and amino acids
    "N,N-diethylacetamide": "CCN(CC)C(C)=O",
    "N-methylbutanamide": "CCCC(=O)NC",
    "N-acetylethanolamine": "CC(=O)NCCO",
    "N-acetylglycine": "CC(=O)NCC(=O)O",
    "glycylglycine": "NCC(=O)NCC(=O)O",
    "alaninamide, N-acetyl": "CC(N)C(=O)NC(C)=O",
    "serine": "NC(CO)C(=O)O",
    "threonine": "CC(O)C(N)C(=O)O",
    "valine": "CC(C)C(N)C(=O)O",
    "leucine": "CC(C)CC(N)C(=O)O",
    "aspartic acid": "NC(CC(=O)O)C(=O)O",
    "asparagine": "NC(=O)CC(N)C(=O)O",
    "GABA": "NCCCC(=O)O",
    # rings that fit into six heavy atoms
    "2-ethylfuran": "CCc1ccco1",
    "4-ethyl-1H-pyrazole": "CCc1cn[nH]c1",
    "cyclopentylmethanol": "OCC1CCCC1",
    "cyclopropyl propyl ketone": "CCCC(=O)C1CC1",
    "N-ethylpyrrolidine": "CCN1CCCC1",
}

#: Of these, the ones that choose the strength of the ridge and the size of error bars; the others
#: are for tests alone.
JUDGES = tuple(ASKED.values())[2::5]

#: Molecules of seven and eight heavy atoms that choose between recipes of a fit, and that nothing
#: else asks for: their fragments are in the training data, they are not.
CHOOSING = {
    "2,4-dimethylpentane": "CC(C)CC(C)C",
    "3-methyl-1-hexene": "C=CC(C)CCC",
    "4-hexen-1-ol": "CC=CCCCO",
    "3-hexanol": "CCCC(O)CC",
    "1,3-dimethoxypropane": "COCCCOC",
    "1,5-pentanediol": "OCCCCCO",
    "1,4-pentanediol": "CC(O)CCCO",
    "2-hexanone": "CCCCC(C)=O",
    "5-oxohexanal": "CC(=O)CCCC=O",
    "ethyl butanoate": "CCCC(=O)OCC",
    "3-methylbutanoic acid": "CC(C)CC(=O)O",
    "methyl 4-oxobutanoate": "COC(=O)CCC=O",
    "N-ethyl-N-methylpropylamine": "CCCN(C)CC",
    "5-aminopentanol": "NCCCCCO",
    "4-aminopentanoic acid": "CC(N)CCC(=O)O",
    "methyl 2-aminobutanoate": "CCC(N)C(=O)OC",
    "N-ethylisobutyramide": "CCNC(=O)C(C)C",
    "N-methyl-beta-alaninamide": "CNC(=O)CCN",
    "N-propylacetamide": "CCCNC(C)=O",
    "5-hydroxypentanenitrile": "N#CCCCCO",
    "N-acetylglycinamide": "CC(=O)NCC(N)=O",
    "norvaline": "CCCC(N)C(=O)O",
    "3-methoxy-2-methylpropanoic acid": "COCC(C)C(=O)O",
    "ethyl 3-hydroxypropanoate": "CCOC(=O)CCO",
    "homoserine": "NC(CCO)C(=O)O",
    "methyl 3-(methylamino)propanoate": "CNCCC(=O)OC",
    "1-hydroxy-3-pentanone": "CCC(=O)CCO",
    "diethylene glycol": "OCCOCCO",
    "3-hydroxybutanoic acid": "CC(O)CC(=O)O",
    "N-ethyl-N-methylpropanamide": "CCC(=O)N(C)CC",
}

#: Molecules with a fragment that the training data lack on purpose: six heavy atoms cannot hold it,
#: or it is of a kind that `molecules.UNLIKELY` leaves out.
LACKING = {
    # chains on rings that take three groups of more than six heavy atoms
    "furfuryl methyl ether": "COCc1ccco1",
    "2-propylpyrrole": "CCCc1ccc[nH]1",
    "imidazole-4-ethanol": "OCCc1c[nH]cn1",
    "proline": "OC(=O)C1CCCN1",
    # rings and groups that were never seen, or never beside this one
    "toluene": "Cc1ccccc1",
    "phenol": "Oc1ccccc1",
    "aniline": "Nc1ccccc1",
    "benzaldehyde": "O=Cc1ccccc1",
    "benzoic acid": "OC(=O)c1ccccc1",
    "4-picoline": "Cc1ccncc1",
    "nicotinamide": "NC(=O)c1cccnc1",
    "styrene": "C=Cc1ccccc1",
    "indole": "c1ccc2[nH]ccc2c1",
    "uracil": "O=c1cc[nH]c(=O)[nH]1",
    "norbornane": "C1CC2CCC1C2",
    "quinuclidine": "C1CN2CCC1CC2",
    "bicyclohexene oxide": "C1CCC2OC2C1",
    "2-nitropentane": "CCCC(C)[N+](=O)[O-]",
    "butyl nitrate": "CCCCO[N+](=O)[O-]",
    "azobutane": "CCCN=NCCC",
    "tert-butyl peroxide": "CC(C)(C)OOC(C)C",
    "1,2-diethylhydrazine, acetyl": "CCNNC(C)=O",
    "carbodiimide": "CCCN=C=NCC",
    "allene": "CCCC=C=CCC",
}

"""The claims of sections 5 and 6 of the PaSTe paper, each tested on the runs of a store. No torch is needed."""

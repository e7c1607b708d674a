"""Requirements and the evidence of a run: which are proved, and by what. Pure: a bundle in, states out."""

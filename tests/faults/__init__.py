"""Bad and unusual inputs: one generator and one wanted outcome for each."""

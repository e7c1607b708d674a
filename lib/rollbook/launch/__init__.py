"""Launch runbooks: through papermill, one after the other, with a record that is true however they end."""

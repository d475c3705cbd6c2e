"""The benchmark: every form of the layers here, and their peers elsewhere, in one run."""

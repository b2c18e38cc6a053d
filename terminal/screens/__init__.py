"""The screens of the terminal: each shows a view it is given and decides nothing."""

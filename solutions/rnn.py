# %% [markdown]
# # The plain recurrent network
#
# x

# %% setup
import numpy as np

from grader import check, hint

# %% [markdown]
# ## One step


# %% answer="rnn_step"
def rnn_step(x, h, params):
    """Return the next state, (B, H), from x (B, D), h (B, H) and the four parameters."""
    ### BEGIN SOLUTION
    a = x @ params["W_ih"].T + params["b_ih"] + h @ params["W_hh"].T + params["b_hh"]
    return np.tanh(a)
    ### END SOLUTION


# %% check="rnn_step"
check("rnn_step")

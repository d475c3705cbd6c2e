# Short names for `python3 tasks.py TASK`, which does the same without make. ARGS passes options on.
PYTHON ?= python3
RUN = @command -v $(PYTHON) >/dev/null || { echo "The course needs Python 3.11 or newer and found no $(PYTHON): install it, or name yours with PYTHON=..."; exit 1; }; $(PYTHON) tasks.py
.PHONY: help course test lab notebooks book mark bench clean doctor
help: ; $(RUN)
course test lab notebooks book mark bench clean doctor: ; $(RUN) $@ $(ARGS)
%: ; $(RUN) $@
Makefile: ;

"""Calibrations from an instrument's own exposures: the chain bias → dark → flat of cp_pipe, with light algorithms.

===================  ==========================  ==============  ================================================
label                dimensions                  writes          unit
===================  ==========================  ==============  ================================================
cpBiasIsr            exposure, detector          cpBiasProc      ADU above the overscan
cpBiasCombine        detector                    bias            ADU
cpDarkIsr            exposure, detector          cpDarkProc      electrons
cpDarkCombine        detector                    dark            electrons per second
cpFlatIsr            exposure, detector          cpFlatProc      electrons
cpFlatCombine        detector, physical_filter   flat            1, mean 1 on every detector
===================  ==========================  ==============  ================================================

Only the first task of each pair knows when an exposure was taken, so it is there that the calibrations which come
before in the chain are looked up by time; the second combines what it is given. Exposures are chosen by the data
query, calibrations are certified afterwards (`harness.drp.calibrate_stage`).

`stack` does the arithmetic on plain arrays.
"""

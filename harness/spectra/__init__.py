"""Spectra of dispersed images: found, extracted along their trace, and given wavelengths.

======================  ==============================================================================
module                  what it does
======================  ==============================================================================
`zeroth`                finds the undispersed image, from which wavelengths are counted
`extract`               background, direction and profile of the trace; the flux along it
`lines`                 continuum, and lines with their centres
`calibrate`             the disperser's true distance, from lines whose wavelengths are known
`task`                  all of it as a PipelineTask: ``post_isr_image`` → ``spectrum``, ``spectrumLines``
`names`                 what the two datasets are
`neighbours`            what other sources leave on a trace, for the checks
`checks`, `defects`     what holds of the results, and corruptions that must be found
======================  ==============================================================================

How wavelengths come to lie on pixels is in `harness.instrument.dispersion`, what a dispersed exposure looks like in
`harness.simulate.spectra`.
"""

"""A light data release production: the labels, dimensions and dataset types of the real one, small algorithms.

==========================  ==============================  =====================================================
label                       dimensions                      writes
==========================  ==============================  =====================================================
isr                         exposure, detector              post_isr_image
calibrateImage              visit, detector                 preliminary_visit_image, single_visit_star_unstandardized
consolidateVisitSummary     visit                           preliminary_visit_summary
consolidateSourceTable      visit                           single_visit_star
makeDirectWarp              tract, patch, visit             direct_warp
selectDeepCoaddVisits       tract, patch, band              deep_coadd_visit_selection
assembleCoadd               tract, patch, band              deep_coadd_predetection, deep_coadd_inputs
detection                   tract, patch, band              deep_coadd, deep_coadd_peaks
mergeDetections             tract, patch                    object_peak
measure                     tract, patch, band              object_unforced_measurement
forcedPhotCoadd             tract, patch, band              object_forced_measurement
transformObjectTable        tract, patch                    object_patch
consolidateObjectTable      tract                           object
==========================  ==============================  =====================================================

Read `names` for what each dataset is, ``pipelines/DRP.yaml`` for the steps. Tasks are thin: `pixels`, `sources`,
`characterize`, `matching` and `resample` do the work on plain arrays. Pixels may be binned; by how much comes with
the raw files (``SIMSCALE``), never from a configuration.
"""

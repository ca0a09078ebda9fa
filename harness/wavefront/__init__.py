"""Wavefront sensing: pairs of images on either side of the focus, and the wavefront that they tell of.

=============================  ===============  ============================================
label                          dimensions       writes
=============================  ===============  ============================================
isr (that of `harness.drp`)    exposure, det.   post_isr_image
generateDonutDirectDetectTask  visit, detector  donutTable
cutOutDonutsTask               visit, detector  donutStampsExtra, donutStampsIntra
calcZernikesTask               visit, detector  zernikes
=============================  ===============  ============================================

Raw images of wavefront sensors are ordinary ``raw`` datasets. Pairs are either two detectors of one exposure, which
lie before and behind the focus (`corners`), or two exposures of one group (`pairing`); `plan` puts both together for
quantum graphs (`quanta`) and checks. What a pair gives is kept under the visit and detector of its extra-focal half.
`detect`, `model` and `estimate` do the work on plain arrays. `inspection` says of any raw file what would need work.
"""

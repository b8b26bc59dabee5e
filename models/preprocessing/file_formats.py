"""Which formats of files are opened: all that Pillow and FFmpeg decode by themselves.

Files come from anywhere, so neither library is let choose among all that it knows. Left out is what
needs a program (PostScript: Ghostscript), runs or reads something else than the file (playlists,
`concat`, IPTC, which opens what it holds by any format, devices, networks), what Pillow only
identifies (GRIB, HDF5, WMF) or gets wrong (FITS: 16 bits in the other order), formats without a
suffix, sound, and FFmpeg's formats of single games.
"""

# Pillow's formats, each with its suffixes. Of an animated file an image is the first frame.
IMAGE_FORMATS: dict[str, tuple[str, ...]] = {
    "AVIF": (".avif", ".avifs"),
    "BLP": (".blp",),
    "BMP": (".bmp",),
    "CUR": (".cur",),
    "DCX": (".dcx",),
    "DDS": (".dds",),
    "DIB": (".dib",),
    "FTEX": (".ftc", ".ftu"),
    "GBR": (".gbr",),
    "GIF": (),  # a folder of GIFs is one of videos
    "ICNS": (".icns",),
    "ICO": (".ico",),
    "IM": (".im",),
    "JPEG": (".jfif", ".jpe", ".jpeg", ".jpg", ".mpo"),
    "JPEG2000": (".j2c", ".j2k", ".jp2", ".jpc", ".jpf", ".jpx"),
    "MSP": (".msp",),
    "PCD": (".pcd",),
    "PCX": (".pcx",),
    "PIXAR": (".pxr",),
    "PNG": (".apng", ".png"),
    "PPM": (".pbm", ".pfm", ".pgm", ".pnm", ".ppm"),
    "PSD": (".psd",),
    "QOI": (".qoi",),
    "SGI": (".bw", ".rgb", ".rgba", ".sgi"),
    "SUN": (".ras",),
    "TGA": (".icb", ".tga", ".vda", ".vst"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "XBM": (".xbm",),
    "XPM": (".xpm",),
}
# By a plug-in of Pillow's, pillow-heif. Without it every such file is told as one left out.
HEIF_SUFFIXES = (".heic", ".heif")

# FFmpeg's demuxers, each with the suffixes of its containers, or of its streams without one.
VIDEO_FORMATS: dict[str, tuple[str, ...]] = {
    "apng": (),
    "asf": (".asf", ".wmv"),
    "avi": (".avi", ".divx"),
    "cavsvideo": (".cavs",),
    "dirac": (".drc", ".vc2"),
    "dv": (".dif", ".dv"),
    "flic": (".flc", ".fli"),
    "flv": (".flv",),
    "gif": (".gif",),
    "gxf": (".gxf",),
    "h261": (".h261",),
    "h263": (".h263",),
    "h264": (".264", ".avc", ".h264", ".h26l"),
    "hevc": (".265", ".h265", ".hevc"),
    "ivf": (".ivf",),
    "live_flv": (),
    "m4v": (),
    "matroska": (".mk3d", ".mkv", ".webm"),
    "mjpeg": (".mjpeg", ".mjpg"),
    "mov": (".3g2", ".3gp", ".f4v", ".ismv", ".m4v", ".mj2", ".mov", ".mp4", ".psp", ".qt"),
    "mpeg": (".mpeg", ".mpg", ".vob"),
    "mpegts": (".m2t", ".m2ts", ".mts", ".ts"),
    "mpegvideo": (".m1v", ".m2v"),
    "mxf": (".mxf",),
    "nsv": (".nsv",),
    "nut": (".nut",),
    "obu": (".obu",),
    "ogg": (".ogm", ".ogv"),
    "rm": (".rm", ".rmvb"),
    "vc1": (".vc1",),
    "vc1test": (".rcv",),
    "vvc": (".266", ".h266", ".vvc"),
    "wtv": (".wtv",),
    "yuv4mpegpipe": (".y4m",),
}

IMAGE_SUFFIXES = frozenset(HEIF_SUFFIXES).union(*IMAGE_FORMATS.values())
VIDEO_SUFFIXES = frozenset[str]().union(*VIDEO_FORMATS.values())

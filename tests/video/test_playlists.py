"""A file that lists other files is not a video: it could show files that nobody gave."""

import pytest
from helpers.photo_videos import face_frames, save

from svfap.video.decode import Reject, declared

LISTS = {
    "ffconcat": "ffconcat version 1.0\nfile other.mp4\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8"])
def test_a_list_of_files_is_no_video(tmp_path, kind, name):
    save(tmp_path / "other.mp4", face_frames(9))
    (tmp_path / name).write_text(LISTS[kind])
    with pytest.raises(Reject, match="not a readable video"):
        declared(tmp_path / name, None)
